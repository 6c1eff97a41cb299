"""
Columns as they are declared: `column(...)`, the `Column` that type checkers see, and `ColumnInfo`, what a relation
keeps of it.

Options go in; a frozen description comes out once the relation's class is made.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, LiteralString, Never, TypeAlias, overload

from attrs import field, frozen
from typing_extensions import TypeVar

from mapper.errors import DeclarationError
from mapper.types import StorageType

if TYPE_CHECKING:
    from mapper.expressions import Attribute, Expr, Order
    from mapper.relation import CommonTable
    from mapper.selected import Part

__all__ = [
    "Check",
    "Column",
    "ColumnInfo",
    "Constraint",
    "Embedded",
    "Index",
    "IndexTerm",
    "KeyAction",
    "Storage",
    "Unique",
    "column",
]

T = TypeVar("T")
R = TypeVar("R")

KeyAction: TypeAlias = Literal["no action", "restrict", "cascade", "set null", "set default"]
"""What happens to a row when the row that it refers to is deleted or its key changes."""

KEY_ACTIONS: Final = ("no action", "restrict", "cascade", "set null", "set default")


class _NotGiven:
    """Tells an option that was left out from one given as None."""

    def __repr__(self) -> str:
        return "NOT_GIVEN"

    def __bool__(self) -> bool:
        return False


NOT_GIVEN: Final = _NotGiven()


@frozen(kw_only=True)
class ColumnOptions:
    """The arguments of `column()`."""

    primary_key: bool = False
    name: str | None = None
    type: StorageType[Any] | None = None
    default: Any = NOT_GIVEN
    server_default: Any = None
    on_update: Any = NOT_GIVEN
    unique: bool = False
    index: bool = False
    references: "Callable[[], Attribute[Any, Any]] | None" = None
    on_delete: KeyAction = "no action"
    on_update_key: KeyAction = "no action"
    check: "str | Callable[[], Expr[bool, Any]] | None" = None
    version: bool = False
    sensitive: bool = False
    comment: str | None = None
    generated: str | None = None
    deferred: bool = False


class Column(Generic[T]):
    """
    The annotation of a column: `title: Column[str]`, `body: Column[str | None]`.

    On the class of a relation, a column evaluates to an `Attribute`: a typed expression.
    """

    __slots__ = ("options",)

    def __init__(self, options: ColumnOptions) -> None:
        self.options = options

    @overload
    def __get__(self, instance: None, owner: "type[CommonTable]") -> "Attribute[T, Never]": ...
    @overload
    def __get__(self, instance: None, owner: type[R]) -> "Attribute[T, R]": ...
    @overload
    def __get__(self, instance: object, owner: type[R]) -> "Attribute[T, R]": ...
    def __get__(self, instance: object, owner: type[Any]) -> Any:
        """Return the column itself while its class is being made; the finished class has attributes in its place."""
        return self


class Embedded(Generic[T]):
    """
    The annotation of an object that the model embeds, and that several columns keep: `address: Embedded[Address]` beside
    `address_street: Column[str]` and `address_city: Column[str]`.

    It declares no column: it gives the object a name in queries, `select(Users.address)`.
    """

    __slots__ = ()

    @overload
    def __get__(self, instance: None, owner: type[R]) -> "Part[T, R]": ...
    @overload
    def __get__(self, instance: object, owner: type[R]) -> "Part[T, R]": ...
    def __get__(self, instance: object, owner: type[Any]) -> Any:
        """For type checkers; the finished class has parts in its place."""
        return self


def column(
    *,
    primary_key: bool = False,
    name: str | None = None,
    type: StorageType[Any] | None = None,
    default: Any = NOT_GIVEN,
    server_default: Any = None,
    on_update: Any = NOT_GIVEN,
    unique: bool = False,
    index: bool = False,
    references: "Callable[[], Attribute[Any, Any]] | None" = None,
    on_delete: KeyAction = "no action",
    on_update_key: KeyAction = "no action",
    check: "LiteralString | Callable[[], Expr[bool, Any]] | None" = None,
    version: bool = False,
    sensitive: bool = False,
    comment: str | None = None,
    generated: LiteralString | None = None,
    deferred: bool = False,
) -> Any:
    """
    Give a column what its annotation cannot say.

    Args:
        primary_key: It is the key, or one of its parts in the order of declaration.
        name: Its name in the store, where that differs from the attribute's.
        type: A storage type narrower than the annotation's, such as `Varchar(50)`.
        default: A value, or a callable without arguments, for rows that do not give one.
        server_default: SQL text or an `fn` expression that the store evaluates for rows that do not give a value.
        on_update: A value, or a callable without arguments, that each update writes unless it assigns the column
            itself.
        unique, index: A unique constraint, or an index, over this column alone.
        references: The column referred to, as a function, so that it may be of a class that comes later.
        on_delete, on_update_key: What happens to this row when the row referred to goes, or changes its key.
        check: A condition in SQL over column names, or a function that gives one as an expression.
        version: It counts the row's writes, from 1, for optimistic locking.
        sensitive: Its values are left out of events, logs and representations.
        comment: A remark kept in the schema where the store can.
        generated: SQL text from which the store computes the column; it cannot be written.
        deferred: It is read only where a query asks for it by name.

    Raises:
        DeclarationError: The options contradict each other. The column's name is added when the class is made.
    """
    options = ColumnOptions(
        primary_key=primary_key,
        name=name,
        type=type,
        default=default,
        server_default=server_default,
        on_update=on_update,
        unique=unique,
        index=index,
        references=references,
        on_delete=on_delete,
        on_update_key=on_update_key,
        check=check,
        version=version,
        sensitive=sensitive,
        comment=comment,
        generated=generated,
        deferred=deferred,
    )
    return Column[Any](options)


@frozen(eq=False)
class ColumnInfo:
    """
    A column of a finished relation.

    Attributes:
        attribute: Its name on the class.
        name: Its name in the store.
        annotation: The Python type that was declared, with `None` in it where nullable.
        type, nullable: How it is stored.
        position: Its place among the relation's columns, from 0.
        autoincrement: The store makes it up for rows that do not give it: an integer key of its own, without default
            and reference.
        options: Everything else that `column()` was given.
    """

    attribute: str
    name: str
    annotation: Any
    type: StorageType[Any]
    nullable: bool
    position: int
    options: ColumnOptions = field(repr=False)
    autoincrement: bool = False

    @property
    def primary_key(self) -> bool:
        """Whether it is the key or a part of it."""
        return self.options.primary_key

    @property
    def version(self) -> bool:
        """Whether it counts the row's writes."""
        return self.options.version

    @property
    def has_default(self) -> bool:
        """
        Whether a row may leave it out: it has a default, counts versions, is made up by the store, or can be NULL.
        """
        options = self.options
        return (
            options.default is not NOT_GIVEN
            or options.server_default is not None
            or options.version
            or options.generated is not None
            or self.autoincrement
            or self.nullable
        )

    def referenced(self) -> "Attribute[Any, Any] | None":
        """
        Return the column that this one refers to, or None. Evaluates the declared function, so its class must exist by
        now.
        """
        return self.options.references() if self.options.references else None


IndexTerm: TypeAlias = "str | Callable[[], Expr[Any, Any] | Order[Any]]"
"""A column by the name of its attribute, or a function that gives an expression over columns, or an order of one."""


@frozen(init=False)
class Index:
    """
    An index over columns, by attribute name, and over expressions: `Index("title", "author_id")`,
    `Index(lambda: fn.lower(Users.email), unique=True)`, `Index(lambda: Posts.created.desc())`.

    Attributes:
        terms: What it is over, in order.
        columns: The names of its columns, where it is over columns alone; else ().
        name: By default one that follows from what it is over.
        unique: No two rows have the same values.
        where: The rows that it has: SQL over column names, or a function that gives a condition. None is all rows.
        method: A kind of index that the store has (`"gin"`); None is its usual one.
    """

    terms: "tuple[IndexTerm, ...]"
    columns: tuple[str, ...]
    name: str | None
    unique: bool
    where: "str | Callable[[], Expr[bool, Any]] | None"
    method: str | None

    def __init__(
        self,
        *terms: "IndexTerm",
        name: str | None = None,
        unique: bool = False,
        where: "LiteralString | Callable[[], Expr[bool, Any]] | None" = None,
        method: str | None = None,
    ) -> None:
        _require_terms(type(self).__name__, terms)
        names = tuple([each for each in terms if isinstance(each, str)])
        columns = names if len(names) == len(terms) else ()
        self.__attrs_init__(terms, columns, name, unique, where, method)  # pyright: ignore[reportAttributeAccessIssue]  # attrs makes it

    @property
    def mentioned(self) -> tuple[str, ...]:
        """Every column that it names, by attribute name."""
        return tuple([each for each in self.terms if isinstance(each, str)])


@frozen(init=False)
class Unique:
    """A unique constraint over columns, by attribute name: `Unique("author_id", "slug")`."""

    columns: tuple[str, ...]
    name: str | None

    def __init__(self, *columns: str, name: str | None = None) -> None:
        _require_columns("Unique", columns)
        self.__attrs_init__(columns, name)  # pyright: ignore[reportAttributeAccessIssue]  # attrs makes it


@frozen
class Check:
    """
    A check constraint: a condition in SQL over column names, `Check("starts < ends")`, or a function that gives one as
    an expression, `Check(lambda: Events.starts < Events.ends)`, which every gateway enforces.
    """

    condition: "str | Callable[[], Expr[bool, Any]]"
    name: str | None = None


@frozen
class Constraint(ABC):
    """
    A constraint of a kind that only some stores have; the packages of their gateways derive from it.

    Attributes:
        name: By default one that follows from what it is over.
    """

    name: str | None = field(default=None, kw_only=True)

    @property
    @abstractmethod
    def mentioned(self) -> tuple[str, ...]:
        """Every column that it names, by attribute name."""


@frozen
class Storage:
    """
    How a store keeps a relation, where that is no plain table; the packages of gateways derive from it.

    Attributes:
        query: A function that gives the query whose rows the relation has, so that nothing is written to it; None where
            it is a table.
    """

    query: "Callable[[], Any] | None" = field(default=None, init=False)


def _require_terms(kind: str, terms: Sequence[object]) -> None:
    if not terms or not all(isinstance(each, str) or callable(each) for each in terms):
        raise DeclarationError(
            f"{kind} is over {terms!r}, expected names of columns, or functions that give expressions",
            hint=f'write {kind}("title"), or {kind}(lambda: fn.lower(Posts.title))',
        )


def _require_columns(kind: str, columns: Sequence[object]) -> None:
    if not columns or not all(isinstance(each, str) for each in columns):
        raise DeclarationError(
            f"{kind} is over {columns!r}, expected names of columns",
            hint=f'name the columns: {kind}("title", "author_id")',
        )
