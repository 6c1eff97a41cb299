"""
Typed expressions: what a query selects, filters by, orders by and what an update assigns.

Columns, values and other expressions go in; an immutable tree comes out, in which every node carries its structural
`key` (the same for the same shape, whatever the values) and its `parameters` (the values, flat, in the order of the
tree).

Nodes are plain classes with slots rather than attrs ones: they are made for each query that is built, and the generated
`__init__` of a frozen class costs more than the rest of the building.
"""

import builtins
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Generic, Never, NoReturn, TypeAlias, overload
from uuid import UUID

from typing_extensions import TypeVar

from mapper import paths, types
from mapper.arithmetic import Arithmetic
from mapper.deferred import Deferred, Placeholder, Ref
from mapper.errors import QueryError
from mapper.parts import Parted
from mapper.selected import Selected
from mapper.types import StorageType
from mapper.wording import PYTHON, Rank, Style, Words, within

if TYPE_CHECKING:
    from mapper.columns import ColumnInfo
    from mapper.operations import OutputColumn
    from mapper.query import Query

__all__ = [
    "Assignment",
    "Attribute",
    "Call",
    "Expr",
    "ListParameter",
    "Omitted",
    "Order",
    "Parameter",
    "RowValue",
    "Slot",
    "Subquery",
    "Subselect",
    "is_path",
    "operand",
    "require_type",
]

T = TypeVar("T")
S = TypeVar("S")
P = TypeVar("P")
T_co = TypeVar("T_co", covariant=True)
R = TypeVar("R")
R2 = TypeVar("R2")
R_co = TypeVar("R_co", covariant=True, default=Any)
N = TypeVar("N", int, float, Decimal, timedelta)

BOOLEAN: Final = types.Boolean()
INTEGER: Final = types.Integer()
FLOAT: Final = types.Float()
TEXT: Final = types.Text()
NUMERIC: Final = types.Numeric()
INTERVAL: Final = types.Interval()

Take: TypeAlias = Callable[[], int]
"""Gives the next parameter's position; see `Expr.numbered`."""


class Subselect(ABC):
    """What may stand as a subquery: `mapper.query.Query`, which is built on top of this module."""

    __slots__ = ()

    @abstractmethod
    def as_scalar(self) -> "Subquery[Any, Any]":
        """Return it as an expression of its one value."""

    @abstractmethod
    def as_rows(self) -> "Subquery[Any, Any]":
        """Return it as the right side of `in`."""

    @abstractmethod
    def output_columns(self) -> "Sequence[OutputColumn]":
        """Describe what it selects, in order."""


class Expr(Arithmetic[T_co, R_co], Parted[T_co, R_co], Generic[T_co, R_co]):
    """
    An expression whose value is a `T` and which reads columns of the relations `R`.

    Attributes:
        key: The expression's shape, without values.
        parameters: Its values, in the order of the tree.
        type: How its value is stored, which tells how a value beside it is encoded.
        nullable: Whether its value can be NULL.
    """

    __slots__ = ("key", "nullable", "parameters", "type")

    key: str
    parameters: tuple[Any, ...]
    type: StorageType[Any]
    nullable: bool

    def numbered(self, take: Take) -> "Expr[Any, Any]":
        """
        Return the same tree with a `Slot` in the place of each parameter, numbered by `take` in the order of
        `parameters`.
        """
        del take
        return self

    @property
    def children(self) -> "tuple[Expr[Any, Any], ...]":
        """The expressions that this one is made of, in order."""
        return ()

    def mapped(self, change: "Callable[[Expr[Any, Any]], Expr[Any, Any]]") -> "Expr[Any, Any]":
        """
        Return the same expression made of what `change` returns for each of its children.

        Raises:
            QueryError: It has children, and cannot be made of others.
        """
        del change
        if self.children:
            raise QueryError(f"{self!r} cannot be made of other expressions", hint="write it out where it is needed")
        return self

    def _selected(self) -> "Selected[T_co, R_co]":
        return Selected(self)

    @overload  # type: ignore[override]  # an expression's equality is an expression
    def __eq__(self, other: "Expr[T_co | None, R2]") -> "Expr[bool, R_co | R2]": ...
    @overload
    def __eq__(self, other: "T_co | Ref[T_co] | None") -> "Expr[bool, R_co]": ...
    def __eq__(self, other: Any) -> Any:
        if other is None:
            return self.is_null()
        if type(other) is Placeholder and self.nullable:
            return _compared("is_not_distinct", self, other)
        return _compared("eq", self, other)

    @overload  # type: ignore[override]  # as __eq__
    def __ne__(self, other: "Expr[T_co | None, R2]") -> "Expr[bool, R_co | R2]": ...
    @overload
    def __ne__(self, other: "T_co | Ref[T_co] | None") -> "Expr[bool, R_co]": ...
    def __ne__(self, other: Any) -> Any:
        if other is None:
            return self.is_not_null()
        if type(other) is Placeholder and self.nullable:
            return Call("ne_or_not_null", (self, operand(other, self)), BOOLEAN, nullable=True)
        return _compared("ne", self, other)

    @overload
    def __lt__(self, other: "Expr[T_co | None, R2]") -> "Expr[bool, R_co | R2]": ...
    @overload
    def __lt__(self, other: T_co) -> "Expr[bool, R_co]": ...  # type: ignore[misc]
    def __lt__(self, other: Any) -> Any:
        return _compared("lt", self, other)

    @overload
    def __le__(self, other: "Expr[T_co | None, R2]") -> "Expr[bool, R_co | R2]": ...
    @overload
    def __le__(self, other: T_co) -> "Expr[bool, R_co]": ...  # type: ignore[misc]
    def __le__(self, other: Any) -> Any:
        return _compared("le", self, other)

    @overload
    def __gt__(self, other: "Expr[T_co | None, R2]") -> "Expr[bool, R_co | R2]": ...
    @overload
    def __gt__(self, other: T_co) -> "Expr[bool, R_co]": ...  # type: ignore[misc]
    def __gt__(self, other: Any) -> Any:
        return _compared("gt", self, other)

    @overload
    def __ge__(self, other: "Expr[T_co | None, R2]") -> "Expr[bool, R_co | R2]": ...
    @overload
    def __ge__(self, other: T_co) -> "Expr[bool, R_co]": ...  # type: ignore[misc]
    def __ge__(self, other: Any) -> Any:
        return _compared("ge", self, other)

    __hash__ = object.__hash__

    def __bool__(self) -> NoReturn:
        raise TypeError(
            f"the truth value of the expression {self!r} is known to the database only\n"
            "HINT: combine conditions with & | ~ instead of 'and' 'or' 'not', and compare a < b < c as between(a, c)"
        )

    def __and__(
        self: "Expr[bool, R] | Expr[bool | None, R]", other: "Expr[bool, R2] | Expr[bool | None, R2]"
    ) -> "Expr[bool, R | R2]":
        return _junction("and", self, other)

    def __or__(
        self: "Expr[bool, R] | Expr[bool | None, R]", other: "Expr[bool, R2] | Expr[bool | None, R2]"
    ) -> "Expr[bool, R | R2]":
        return _junction("or", self, other)

    def __invert__(self: "Expr[bool, R] | Expr[bool | None, R]") -> "Expr[bool, R]":
        return self if isinstance(self, Omitted) else Call("not", (_condition(self),), BOOLEAN, nullable=self.nullable)

    def _computed(self, name: str, other: Any, *, reflected: bool = False) -> "Expr[Any, Any]":
        if name == "add" and self.type.python is str:
            beside = operand(other, self)
            return Call("concat", (beside, self) if reflected else (self, beside), TEXT, nullable=None)
        if name == "neg":
            return _arithmetic("sub", _number(self.type.python(0), self), self)
        return _arithmetic(name, _number(other, self), self) if reflected else _arithmetic(name, self, other)

    def in_(self, values: "Iterable[T_co | None] | Query[T_co, Any] | Query[T_co | None, Any]") -> "Expr[bool, R_co]":
        """
        Whether the value is one of `values`; a None among them stands for NULL, and of nothing it is false.

        A list is one parameter, whatever its length. A query is a subquery of one column, and means the list of its
        rows: a NULL among them is found by NULL.
        """
        return _membership("in", self, values)

    def not_in(
        self, values: "Iterable[T_co | None] | Query[T_co, Any] | Query[T_co | None, Any]"
    ) -> "Expr[bool, R_co]":
        """
        Whether the value is none of `values`. NULL counts as a value: it is not in `[1]`, and it is in `[1, None]`.
        """
        return _membership("not_in", self, values)

    def between(self, low: "T_co | Expr[T_co, Any]", high: "T_co | Expr[T_co, Any]") -> "Expr[bool, R_co]":
        """Whether `low <= value <= high`: both bounds belong to it."""
        return Call("between", (self, operand(low, self), operand(high, self)), BOOLEAN, nullable=None)

    def is_null(self) -> "Expr[bool, R_co]":
        """Whether the value is NULL; never NULL itself."""
        return Call("is_null", (self,), BOOLEAN, nullable=False)

    def is_not_null(self) -> "Expr[bool, R_co]":
        """Whether the value is not NULL; never NULL itself."""
        return Call("is_not_null", (self,), BOOLEAN, nullable=False)

    def is_distinct_from(self, other: "T_co | Expr[T_co | None, R2] | None") -> "Expr[bool, R_co | R2]":
        """`!=` in which NULL is a value like any other: never NULL itself."""
        return Call("is_distinct", (self, operand(other, self)), BOOLEAN, nullable=False)

    def is_not_distinct_from(self, other: "T_co | Expr[T_co | None, R2] | None") -> "Expr[bool, R_co | R2]":
        """`==` in which NULL is a value like any other: never NULL itself."""
        return Call("is_not_distinct", (self, operand(other, self)), BOOLEAN, nullable=False)

    def like(self: "Expr[str, R] | Expr[str | None, R]", pattern: "str | Expr[str, R2]") -> "Expr[bool, R | R2]":
        """
        Match a pattern, case-sensitively: `%` is any text, `_` one character, and a backslash makes either ordinary.
        """
        return _text_match("like", self, pattern)

    def ilike(self: "Expr[str, R] | Expr[str | None, R]", pattern: "str | Expr[str, R2]") -> "Expr[bool, R | R2]":
        """As `like`, but not case-sensitively; refused by gateways whose store has no such match."""
        return _text_match("ilike", self, pattern)

    def starts_with(self: "Expr[str, R] | Expr[str | None, R]", prefix: "str | Expr[str, R2]") -> "Expr[bool, R | R2]":
        """Whether the text begins with `prefix`, case-sensitively; nothing in it is a wildcard."""
        return _text_match("starts_with", self, prefix)

    def ends_with(self: "Expr[str, R] | Expr[str | None, R]", suffix: "str | Expr[str, R2]") -> "Expr[bool, R | R2]":
        """Whether the text ends with `suffix`, case-sensitively; nothing in it is a wildcard."""
        return _text_match("ends_with", self, suffix)

    @overload
    def contains(self: "Expr[str, R] | Expr[str | None, R]", part: "str | Expr[str, R2]") -> "Expr[bool, R | R2]": ...
    @overload
    def contains(self: "Expr[list[S], R] | Expr[list[S] | None, R]", part: S) -> "Expr[bool, R]": ...
    def contains(self: "Expr[Any, Any]", part: Any) -> "Expr[bool, Any]":
        """
        Whether the text has `part` somewhere, case-sensitively, with no wildcards; of a list, whether `part` is one of
        its items.
        """
        if isinstance(self.type, types.List):
            if part is None:
                raise QueryError(f"{self!r} contains None: NULL equals no item", hint="leave such items out of lists")
            item = part if isinstance(part, Expr) else Parameter(part, self.type.item)
            return Call("list_contains", (self, item), BOOLEAN, nullable=self.nullable)
        return _text_match("contains", self, part)

    def _part(self, steps: "paths.Steps") -> "Expr[Any, Any]":
        if isinstance(self.type, types.List) and len(steps) == 1 and isinstance(steps[0], int):
            return Call(f"list_item:{steps[0]}", (self,), self.type.item, nullable=True)
        return _part(self, steps)

    def _part_as(self, type_: Any) -> "Expr[Any, Any]":
        document, steps = _path_of(self)
        target = paths.stored_as(type_)
        return Call(paths.written(paths.AS, steps, target), (document,), target, nullable=True)

    def cast(self, type_: builtins.type[S]) -> "Expr[S, R_co]":
        """Convert the value in the store to the storage type of a Python type."""
        target, _ = types.infer(type_)
        return Call(f"cast:{target.key}", (self,), target, nullable=self.nullable)

    def asc(self) -> "Order[R_co]":
        """Order by this, smallest first and NULL last."""
        return Order(self, descending=False)

    def desc(self) -> "Order[R_co]":
        """Order by this, NULL first and then largest first."""
        return Order(self, descending=True)

    def worded(self, style: Style) -> Words:
        """Return the expression in words, for people; without values."""
        return Words(f"{type(self).__name__.lower()}({', '.join([str(each.worded(style)) for each in self.children])})")

    def __repr__(self) -> str:
        return self.worded(PYTHON).text


class Attribute(Expr[T_co, R_co]):
    """
    A column of a relation (or of an alias of it), as an expression.

    Attributes:
        relation: The relation class that it was taken from; for `Posts.named("p").title`, the alias.
        column: What was declared.
    """

    __slots__ = ("column", "relation")

    def __init__(self, relation: Any, token: str, column: "ColumnInfo") -> None:
        self.relation = relation
        self.column = column
        self.key = f"{token}.{column.attribute}"
        self.parameters = ()
        self.type = column.type.plain
        self.nullable = column.nullable

    def to(self, value: "T_co | Expr[T_co, Any] | Ref[T_co]") -> "Assignment[R_co]":
        """Assign a value, an expression over the same row, or the key of a row that the changeset inserts."""
        # As its class does when it is called, in less time: changesets are made of many.
        made: Assignment[R_co] = _new(Assignment)
        made.attribute = self
        made.value = value
        return made

    def worded(self, style: Style) -> Words:
        return style.column(self)


class Assignment(Generic[R_co]):
    """A column and the value that it is to have; see `Attribute.to`."""

    __slots__ = ("attribute", "value")

    def __init__(self, attribute: Attribute[Any, R_co], value: Any) -> None:
        self.attribute = attribute
        self.value = value

    @property
    def expression(self) -> Expr[Any, Any]:
        """The value as an expression."""
        made = operand(self.value, self.attribute)
        # What is stored must keep to the limits of the column; what is compared need not.
        return (
            Parameter(self.value, self.attribute.type) if type(made) is Parameter and made is not self.value else made
        )

    def __repr__(self) -> str:
        column = self.attribute.column
        shown = "..." if column.options.sensitive else repr(self.value)
        return f"{self.attribute!r}.to({shown})"


class Order(Generic[R_co]):
    """An expression and its direction. NULLs come last ascending and first descending unless said otherwise."""

    __slots__ = ("descending", "expression", "key", "nulls_are_last", "parameters")

    def __init__(self, expression: Expr[Any, R_co], *, descending: bool, nulls_are_last: bool | None = None) -> None:
        self.expression = expression
        self.parameters = expression.parameters
        self.descending = descending
        self.nulls_are_last = not descending if nulls_are_last is None else nulls_are_last
        self.key = f"{expression.key}{'-' if descending else '+'}{'l' if self.nulls_are_last else 'f'}"

    def nulls_last(self) -> "Order[R_co]":
        """The same order with NULLs at the end."""
        return Order(self.expression, descending=self.descending, nulls_are_last=True)

    def nulls_first(self) -> "Order[R_co]":
        """The same order with NULLs at the beginning."""
        return Order(self.expression, descending=self.descending, nulls_are_last=False)

    def numbered(self, take: Take) -> "Order[R_co]":
        """As `Expr.numbered`."""
        return self.mapped(lambda each: each.numbered(take))

    def mapped(self, change: Callable[[Expr[Any, Any]], Expr[Any, Any]]) -> "Order[R_co]":
        """Return the same order of what `change` returns for its expression."""
        return Order(change(self.expression), descending=self.descending, nulls_are_last=self.nulls_are_last)

    def __repr__(self) -> str:
        said = (
            ""
            if self.nulls_are_last is not self.descending
            else f".nulls_{'last' if self.nulls_are_last else 'first'}()"
        )
        return f"{within(self.expression.worded(PYTHON), Rank.ATOM)}.{'desc' if self.descending else 'asc'}(){said}"


class Parameter(Expr[T_co, Never]):
    """A value that travels beside the statement, never in its text."""

    __slots__ = ()

    def __init__(self, value: Any, type_: StorageType[Any]) -> None:
        self.key = f"?{type_.key}"
        self.parameters = (value,)
        self.type = type_
        self.nullable = value is None or isinstance(value, Deferred)

    def numbered(self, take: Take) -> "Slot":
        return Slot(take(), self.type)

    def worded(self, style: Style) -> Words:
        return style.value(None)


class ListParameter(Expr[T_co, Never]):
    """Any number of values that travel as one parameter. `type` is that of an item; an item is never None."""

    __slots__ = ()

    def __init__(self, values: Any, type_: StorageType[Any]) -> None:
        self.key = f"?*{type_.key}"
        self.parameters = (values,)
        self.type = type_
        self.nullable = False

    def numbered(self, take: Take) -> "Slot":
        return Slot(take(), self.type, many=True)

    def worded(self, style: Style) -> Words:
        return style.value(None)


class Slot(Expr[Any, Never]):
    """
    The place of a parameter in a numbered tree: `index` counts in the statement's `parameters`.

    Compilers see slots where the user gave values, so what they make depends on the shape alone. With `many` the
    parameter is a list of items of `type`.
    """

    __slots__ = ("index", "many")

    def __init__(self, index: int, type_: StorageType[Any], *, many: bool = False) -> None:
        self.index = index
        self.many = many
        self.key = f"${index}"
        self.parameters = ()
        self.type = type_
        self.nullable = True

    def worded(self, style: Style) -> Words:
        return style.value(self.index)


class Call(Expr[T_co, R_co]):
    """
    An operator or function, by name, and its operands.

    Attributes:
        name: One of the names of `mapper.functions` or an operator (`eq`, `and`, `add`, `in` …); gateways map them to
            their own text.
        operands: In order.
    """

    __slots__ = ("name", "operands")

    def __init__(
        self, name: str, operands: tuple[Expr[Any, Any], ...], type_: StorageType[Any], *, nullable: bool | None
    ) -> None:
        self.name = name
        self.operands = operands
        self.type = type_
        if len(operands) == 2:
            left, right = operands
            self.key = f"{name}({left.key},{right.key})"
            self.parameters = left.parameters + right.parameters
            self.nullable = left.nullable or right.nullable if nullable is None else nullable
        else:
            self.key = f"{name}({','.join([each.key for each in operands])})"
            self.parameters = tuple([value for each in operands for value in each.parameters])
            self.nullable = any([each.nullable for each in operands]) if nullable is None else nullable

    @property
    def children(self) -> tuple[Expr[Any, Any], ...]:
        return self.operands

    def numbered(self, take: Take) -> "Call[T_co, R_co]":
        return self.mapped(lambda each: each.numbered(take))

    def mapped(self, change: Callable[[Expr[Any, Any]], Expr[Any, Any]]) -> "Call[T_co, R_co]":
        return type(self)(self.name, tuple([change(each) for each in self.operands]), self.type, nullable=self.nullable)

    def worded(self, style: Style) -> Words:
        return style.call(self.name, [each.worded(style) for each in self.operands], self.type.python.__name__)


class Omitted(Expr[bool, Never]):
    """A condition that is left out; see `mapper.conditions.omitted`."""

    __slots__ = ()

    def __init__(self) -> None:
        self.key = "omitted"
        self.parameters = ()
        self.type = BOOLEAN
        self.nullable = False

    def worded(self, style: Style) -> Words:
        return Words("omitted")


class RowValue(Expr[T_co, R_co]):
    """Several expressions as one value, `(a, b)`: a composite key, or an item of a composite list."""

    __slots__ = ("items",)

    def __init__(self, items: Sequence[Expr[Any, Any]]) -> None:
        self.items = tuple(items)
        self.key = f"row({','.join([each.key for each in items])})"
        self.parameters = tuple([value for each in items for value in each.parameters])
        self.type = types.Json()
        self.nullable = any(each.nullable for each in items)

    @property
    def children(self) -> tuple[Expr[Any, Any], ...]:
        return self.items

    def numbered(self, take: Take) -> "RowValue[T_co, R_co]":
        return self.mapped(lambda each: each.numbered(take))

    def mapped(self, change: Callable[[Expr[Any, Any]], Expr[Any, Any]]) -> "RowValue[T_co, R_co]":
        return RowValue([change(each) for each in self.items])

    def worded(self, style: Style) -> Words:
        return Words(f"({', '.join([str(each.worded(style)) for each in self.items])})")

    if not TYPE_CHECKING:  # for checkers they are those of any expression

        def __eq__(self, other: Any) -> Any:
            return self._compared("eq", other)

        def __ne__(self, other: Any) -> Any:
            return self._compared("ne", other)

        __hash__ = object.__hash__

    def _compared(self, name: str, other: Any) -> "Expr[bool, Any]":
        right = operand(other, self)
        if not (isinstance(other, tuple) and any(each is None for each in other)):
            return _comparison(name, self, right)
        pairs = zip(self.items, other, strict=True)
        parts = tuple([item == part if name == "eq" else item != part for item, part in pairs])
        return Call("and" if name == "eq" else "or", parts, BOOLEAN, nullable=None)


class Subquery(Expr[T_co, R_co]):
    """
    A query as an expression.

    Attributes:
        kind: `scalar` (its one value), `exists`, or `rows` (the right side of `in`).
        query: The query; in a numbered tree, the `Select` that it stands for.
    """

    __slots__ = ("kind", "query")

    def __init__(
        self, kind: str, query: Any, type_: StorageType[Any], *, nullable: bool, key: str, parameters: tuple[Any, ...]
    ) -> None:
        self.kind = kind
        self.query = query
        self.type = type_
        self.nullable = nullable
        self.key = key
        self.parameters = parameters

    def numbered(self, take: Take) -> "Subquery[T_co, R_co]":
        return Subquery(
            self.kind, self.query.assembled(take), self.type, nullable=self.nullable, key=self.key, parameters=()
        )

    def worded(self, style: Style) -> Words:
        return style.subquery(self.kind, self.query)


def operand(value: Any, beside: Expr[Any, Any]) -> Expr[Any, Any]:
    """
    Return `value` as an expression; a plain value takes the storage type of the expression beside it, without the limits
    that hold for what is stored.
    """
    if type(value) in _VALUES:
        return Parameter(value, beside.type.unlimited) if type(beside) is not RowValue else _row_operand(value, beside)
    if isinstance(value, Expr):
        return value
    if isinstance(value, Subselect):
        subquery: Expr[Any, Any] = value.as_scalar()
        return subquery
    if isinstance(beside, RowValue):
        return _row_operand(value, beside)
    return Parameter(value, beside.type.unlimited)


_VALUES: Final = frozenset({int, str, float, bool, bytes, tuple, date, datetime, timedelta, Decimal, UUID})
"""Classes of values that are looked for first: asking for an abstract class takes longer than all the rest."""


def _row_operand(value: Any, beside: RowValue[Any, Any]) -> Expr[Any, Any]:
    if isinstance(value, tuple) and len(value) == len(beside.items):
        return RowValue([operand(part, item) for part, item in zip(value, beside.items, strict=True)])
    raise QueryError(
        f"a value of {len(beside.items)} parts is compared with {value!r}",
        hint="give a tuple of as many values, in order",
    )


def _compared(name: str, left: Expr[Any, Any], value: Any) -> Expr[bool, Any]:
    """
    Return the comparison of an expression with a value, or with another expression.

    That of a column with a value is in nearly every query. It is made here without calls: what the constructors of
    `Parameter` and `Call` would do takes twice as long.
    """
    if type(left) is not Attribute or type(value) not in _VALUES:
        return _comparison(name, left, operand(value, left))
    right: Parameter[Any] = _new(Parameter)
    right.type = type_ = left.type.unlimited
    right.key = key = f"?{type_.key}"
    right.parameters = parameters = (value,)
    right.nullable = False
    made: Call[bool, Any] = _new(Call)
    made.name = name
    made.operands = (left, right)
    made.key = f"{name}({left.key},{key})"
    made.parameters = parameters
    made.type = BOOLEAN
    made.nullable = left.nullable
    return made


_new: Final = object.__new__


def _comparison(name: str, left: Expr[Any, Any], right: Expr[Any, Any]) -> Expr[bool, Any]:
    if left.type.__class__ is types.Json or right.type.__class__ is types.Json:
        for each in (left, right):
            require_type(each, "it is compared")
    return Call(name, (left, right), BOOLEAN, nullable=None)


def _part(whole: Expr[Any, Any], keys: "paths.Steps") -> Expr[Any, Any]:
    """Return a part of a document, as a value where its annotation says of which type it is."""
    document, steps = _path_of(whole)
    annotation = whole.type.annotation if isinstance(whole.type, types.Json) else None
    for key in keys:
        step, annotation = paths.parted(annotation, key)
        steps = (*steps, step)
    target = types.Json() if annotation is None else paths.stored_as(annotation)
    kind = paths.PATH if isinstance(target, types.Json) else paths.AS
    return Call(paths.written(kind, steps, target), (document,), target, nullable=True)


def _path_of(part: Expr[Any, Any]) -> "tuple[Expr[Any, Any], paths.Steps]":
    """Return the document that an expression is a part of, and the steps to it; () of a whole document."""
    if not isinstance(part.type, types.Json) or isinstance(part, RowValue):
        raise QueryError(
            f"{part!r} is {part.type.python.__name__}, which has no parts", hint="name a column of JSON documents"
        )
    if is_path(part):
        assert isinstance(part, Call)
        return part.operands[0], paths.steps_of(part.name)
    return part, ()


def is_path(expression: Expr[Any, Any]) -> bool:
    """Whether an expression is a part of a document, and not a value of a type yet."""
    return isinstance(expression, Call) and expression.name.startswith(paths.PATH)


def require_type(expression: Expr[Any, Any], what: str) -> None:
    """
    Refuse a part of a document whose type nobody says, where values of stores differ.

    Raises:
        QueryError: It is one; `what` is done with it.
    """
    if is_path(expression):
        raise QueryError(
            f"{expression!r} is a part of a document, whose type is not known, and {what}",
            hint="say its type: .as_(str)",
        )


def _temporal(name: str, left: Expr[Any, Any], right: Expr[Any, Any]) -> Expr[Any, Any]:
    """Return a moment moved by an interval, or the interval between two moments of one kind."""
    if name == "add" and isinstance(left.type, types.Interval):
        left, right = right, left
    if name in {"add", "sub"} and isinstance(right.type, types.Interval):
        return Call(f"moment_{name}", (left, right), left.type, nullable=None)
    if name == "sub" and type(left.type) is type(right.type):
        return Call("moment_diff", (left, right), INTERVAL, nullable=None)
    raise QueryError(
        f"{name} of {left!r} and {right!r}: dates and datetimes move by a timedelta, and differ from their own kind",
        hint="cast one of them: .cast(datetime)",
    )


def _junction(name: str, left: Any, right: Any) -> Expr[bool, Any]:
    if isinstance(left, Omitted):
        return _condition(right)
    if isinstance(right, Omitted):
        return _condition(left)
    return Call(name, (_condition(left), _condition(right)), BOOLEAN, nullable=left.nullable or right.nullable)


def _condition(value: object) -> Expr[Any, Any]:
    if (isinstance(value, Expr) and value.type is BOOLEAN) or (isinstance(value, Expr) and value.type == BOOLEAN):
        return value
    raise QueryError(
        f"{value!r} is not a condition", hint="compare it with something: a condition is an expression of type bool"
    )


def _text_match(name: str, text: Expr[Any, Any], pattern: Any) -> Expr[bool, Any]:
    if not issubclass(text.type.python, str):
        raise QueryError(f"{name} needs text, and {text!r} is {text.type.python.__name__}", hint="cast it: .cast(str)")
    wanted = pattern if isinstance(pattern, Expr) else Parameter[Any](pattern, TEXT)
    if name == "like" and type(wanted) is Parameter and _ends_in_escape(wanted.parameters[0]):
        # A backslash with nothing behind it matches nothing; what stores make of such a pattern differs.
        return _comparison("ne", text, text)
    return Call(name, (text, wanted), BOOLEAN, nullable=None)


def _ends_in_escape(pattern: object) -> bool:
    return isinstance(pattern, str) and (len(pattern) - len(pattern.rstrip("\\"))) % 2 == 1


_MOMENTS: Final = (types.Timestamp, types.TimestampTz, types.Date)
_NUMBERS: Final = (types.Integer, types.Float, types.Numeric, types.Interval)


def _number(value: Any, beside: Expr[Any, Any]) -> Expr[Any, Any]:
    if isinstance(value, Expr):
        return value
    if isinstance(value, float):
        return Parameter(value, FLOAT)
    if isinstance(value, Decimal):
        return Parameter(value, NUMERIC)
    if isinstance(value, timedelta):
        return Parameter(value, INTERVAL)
    if isinstance(value, date) and not isinstance(beside.type, _MOMENTS):
        return Parameter(value, _moment_type(value))
    if (isinstance(value, int) and beside.type.python is timedelta) or (
        beside.type.python is Decimal and isinstance(value, int)
    ):
        return Parameter(value, INTEGER)
    if isinstance(beside.type, types.Numeric):
        return Parameter(value, NUMERIC)
    return Parameter(value, beside.type)


def _arithmetic(name: str, left: Expr[Any, Any], other: Any) -> Expr[Any, Any]:
    right = _number(other, left)
    if isinstance(left.type, _MOMENTS) or isinstance(right.type, _MOMENTS):
        return _temporal(name, left, right)
    for each in (left, right):
        if not isinstance(each.type, _NUMBERS):
            raise QueryError(
                f"{name} needs numbers, and {each!r} is {each.type.python.__name__}",
                hint="cast it, or write a fragment in the store's language",
            )
    return Call(
        name,
        (left, right),
        _arithmetic_type(name, left.type, right.type),
        nullable=True if name in {"div", "mod"} else None,
    )


def _moment_type(value: date) -> StorageType[Any]:
    if not isinstance(value, datetime):
        return types.Date()
    return types.Timestamp() if value.tzinfo is None else types.TimestampTz()


def _arithmetic_type(name: str, left: StorageType[Any], right: StorageType[Any]) -> StorageType[Any]:
    kinds = {left.python, right.python}
    if timedelta in kinds:
        return INTERVAL
    if Decimal in kinds:
        if float in kinds:
            raise QueryError(
                f"{name} of a decimal and a float would lose digits", hint="cast one of them to the other's type"
            )
        return NUMERIC
    if float in kinds or name == "div":
        return FLOAT
    return INTEGER


def _membership(name: str, item: Expr[Any, Any], values: Any) -> Expr[bool, Any]:
    if isinstance(values, Placeholder):
        variant = f"{name}_list_or_null" if item.nullable else f"{name}_list"
        return Call(variant, (item, ListParameter(values, item.type.unlimited)), BOOLEAN, nullable=None)
    if isinstance(values, Subselect):
        return Call(f"{name}_query", (item, values.as_rows()), BOOLEAN, nullable=None if name == "in" else False)
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise QueryError(
            f"in_ and not_in take values or a query, not {values!r}", hint="put a single value into a list"
        )
    return _list_membership(name, item, list(values))


def _list_membership(name: str, item: Expr[Any, Any], values: list[Any]) -> Expr[bool, Any]:
    if any(isinstance(each, Expr) for each in values):
        options = [item == each for each in values]
        return _either(name, item, options)
    if any(isinstance(each, Ref) for each in values):
        return _either(name, item, [item == each for each in values])
    partial = [each for each in values if _has_none(each)] if isinstance(item, RowValue) else []
    if partial:
        whole = [each for each in values if not _has_none(each)]
        options = [item == each for each in partial]
        return _either(name, item, [*options, _list_membership("in", item, whole)] if whole else options)
    known = [each for each in values if each is not None]
    listed: Expr[bool, Any] = Call(
        f"{name}_list", (item, _list_parameter(item, known)), BOOLEAN, nullable=item.nullable if name == "in" else False
    )
    if len(known) == len(values):
        return listed
    return item.is_null() | listed if name == "in" else item.is_not_null() & listed


def _has_none(value: Any) -> bool:
    return isinstance(value, tuple) and any(each is None for each in value)


def _either(name: str, item: Expr[Any, Any], options: list[Expr[bool, Any]]) -> Expr[bool, Any]:
    any_of: Expr[bool, Any] = Call("or", tuple(options), BOOLEAN, nullable=None)
    return any_of if name == "in" else Call("is_not_true", (any_of,), BOOLEAN, nullable=False)


def _list_parameter(item: Expr[Any, Any], values: list[Any]) -> Expr[Any, Any]:
    if not isinstance(item, RowValue):
        return ListParameter(values, item.type.unlimited)
    for each in values:
        if not isinstance(each, tuple) or len(each) != len(item.items):
            raise QueryError(
                f"{each!r} is compared with {len(item.items)} columns", hint="give tuples of as many values, in order"
            )
    return RowValue(
        [ListParameter([each[index] for each in values], part.type.unlimited) for index, part in enumerate(item.items)]
    )
