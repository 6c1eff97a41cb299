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
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Generic, Never, NoReturn, TypeAlias, overload

from typing_extensions import TypeVar

from mapper import types
from mapper.deferred import Deferred, Placeholder, Ref
from mapper.errors import QueryError
from mapper.types import StorageType

if TYPE_CHECKING:
    from mapper.columns import ColumnInfo
    from mapper.query import Query

__all__ = [
    "Assignment",
    "Attribute",
    "Call",
    "Expr",
    "ListParameter",
    "Order",
    "Parameter",
    "RowValue",
    "Slot",
    "Subquery",
    "Subselect",
    "operand",
]

T = TypeVar("T")
S = TypeVar("S")
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


class Expr(Generic[T_co, R_co]):
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

    @overload  # type: ignore[override]  # an expression's equality is an expression
    def __eq__(self, other: "Expr[T_co | None, R2]") -> "Expr[bool, R_co | R2]": ...
    @overload
    def __eq__(self, other: "T_co | Ref[T_co] | None") -> "Expr[bool, R_co]": ...
    def __eq__(self, other: Any) -> Any:
        if other is None:
            return self.is_null()
        right = operand(other, self)
        if isinstance(other, Placeholder) and self.nullable:
            return _comparison("is_not_distinct", self, right)
        return _comparison("eq", self, right)

    @overload  # type: ignore[override]  # as __eq__
    def __ne__(self, other: "Expr[T_co | None, R2]") -> "Expr[bool, R_co | R2]": ...
    @overload
    def __ne__(self, other: "T_co | Ref[T_co] | None") -> "Expr[bool, R_co]": ...
    def __ne__(self, other: Any) -> Any:
        if other is None:
            return self.is_not_null()
        right = operand(other, self)
        if isinstance(other, Placeholder) and self.nullable:
            return Call("ne_or_not_null", (self, right), BOOLEAN, nullable=True)
        return _comparison("ne", self, right)

    @overload
    def __lt__(self, other: "Expr[T_co | None, R2]") -> "Expr[bool, R_co | R2]": ...
    @overload
    def __lt__(self, other: T_co) -> "Expr[bool, R_co]": ...  # type: ignore[misc]
    def __lt__(self, other: Any) -> Any:
        return _comparison("lt", self, operand(other, self))

    @overload
    def __le__(self, other: "Expr[T_co | None, R2]") -> "Expr[bool, R_co | R2]": ...
    @overload
    def __le__(self, other: T_co) -> "Expr[bool, R_co]": ...  # type: ignore[misc]
    def __le__(self, other: Any) -> Any:
        return _comparison("le", self, operand(other, self))

    @overload
    def __gt__(self, other: "Expr[T_co | None, R2]") -> "Expr[bool, R_co | R2]": ...
    @overload
    def __gt__(self, other: T_co) -> "Expr[bool, R_co]": ...  # type: ignore[misc]
    def __gt__(self, other: Any) -> Any:
        return _comparison("gt", self, operand(other, self))

    @overload
    def __ge__(self, other: "Expr[T_co | None, R2]") -> "Expr[bool, R_co | R2]": ...
    @overload
    def __ge__(self, other: T_co) -> "Expr[bool, R_co]": ...  # type: ignore[misc]
    def __ge__(self, other: Any) -> Any:
        return _comparison("ge", self, operand(other, self))

    __hash__ = object.__hash__

    def __bool__(self) -> NoReturn:
        raise TypeError(
            f"the truth value of the expression {self!r} is known to the database only\n"
            "HINT: combine conditions with & | ~ instead of 'and' 'or' 'not', and compare a < b < c as between(a, c)"
        )

    def __and__(
        self: "Expr[bool, R] | Expr[bool | None, R]", other: "Expr[bool, R2] | Expr[bool | None, R2]"
    ) -> "Expr[bool, R | R2]":
        return Call("and", (_condition(self), _condition(other)), BOOLEAN, nullable=self.nullable or other.nullable)

    def __or__(
        self: "Expr[bool, R] | Expr[bool | None, R]", other: "Expr[bool, R2] | Expr[bool | None, R2]"
    ) -> "Expr[bool, R | R2]":
        return Call("or", (_condition(self), _condition(other)), BOOLEAN, nullable=self.nullable or other.nullable)

    def __invert__(self: "Expr[bool, R] | Expr[bool | None, R]") -> "Expr[bool, R]":
        return Call("not", (_condition(self),), BOOLEAN, nullable=self.nullable)

    @overload
    def __add__(self: "Expr[N, R]", other: "Expr[N, R2]") -> "Expr[N, R | R2]": ...
    @overload
    def __add__(self: "Expr[N, R]", other: N) -> "Expr[N, R]": ...  # pyright: ignore[reportOverlappingOverload]  # an int is no Decimal
    @overload
    def __add__(self: "Expr[Decimal, R]", other: "int | Expr[int, R2]") -> "Expr[Decimal, R | R2]": ...
    @overload
    def __add__(self: "Expr[str, R]", other: "Expr[str, R2]") -> "Expr[str, R | R2]": ...
    @overload
    def __add__(self: "Expr[str, R]", other: str) -> "Expr[str, R]": ...
    @overload
    def __add__(self: "Expr[N | None, R]", other: "N | Expr[N | None, R2]") -> "Expr[N | None, R | R2]": ...
    def __add__(self: "Expr[Any, Any]", other: Any) -> "Expr[Any, Any]":
        if self.type.python is str:
            return Call("concat", (self, operand(other, self)), TEXT, nullable=None)
        return _arithmetic("add", self, other)

    def __radd__(self: "Expr[Any, R]", other: Any) -> "Expr[Any, R]":
        if self.type.python is str:
            return Call("concat", (operand(other, self), self), TEXT, nullable=None)
        return _arithmetic("add", _number(other, self), self)

    @overload
    def __sub__(self: "Expr[N, R]", other: "Expr[N, R2]") -> "Expr[N, R | R2]": ...
    @overload
    def __sub__(self: "Expr[N, R]", other: N) -> "Expr[N, R]": ...  # pyright: ignore[reportOverlappingOverload]  # an int is no Decimal
    @overload
    def __sub__(self: "Expr[Decimal, R]", other: "int | Expr[int, R2]") -> "Expr[Decimal, R | R2]": ...
    @overload
    def __sub__(self: "Expr[N | None, R]", other: "N | Expr[N | None, R2]") -> "Expr[N | None, R | R2]": ...
    def __sub__(self: "Expr[Any, Any]", other: Any) -> "Expr[Any, Any]":
        return _arithmetic("sub", self, other)

    def __rsub__(self: "Expr[Any, R]", other: Any) -> "Expr[Any, R]":
        return _arithmetic("sub", _number(other, self), self)

    @overload
    def __mul__(self: "Expr[N, R]", other: "Expr[N, R2]") -> "Expr[N, R | R2]": ...
    @overload
    def __mul__(self: "Expr[N, R]", other: N) -> "Expr[N, R]": ...  # pyright: ignore[reportOverlappingOverload]  # an int is no Decimal
    @overload
    def __mul__(self: "Expr[Decimal, R]", other: "int | Expr[int, R2]") -> "Expr[Decimal, R | R2]": ...
    @overload
    def __mul__(self: "Expr[N | None, R]", other: "N | Expr[N | None, R2]") -> "Expr[N | None, R | R2]": ...
    def __mul__(self: "Expr[Any, Any]", other: Any) -> "Expr[Any, Any]":
        return _arithmetic("mul", self, other)

    def __rmul__(self: "Expr[Any, R]", other: Any) -> "Expr[Any, R]":
        return _arithmetic("mul", _number(other, self), self)

    @overload
    def __truediv__(self: "Expr[int, R]", other: "int | Expr[int, R2]") -> "Expr[float, R | R2]": ...
    @overload
    def __truediv__(self: "Expr[float, R]", other: "float | Expr[float, R2]") -> "Expr[float, R | R2]": ...
    @overload
    def __truediv__(
        self: "Expr[Decimal, R]", other: "int | Decimal | Expr[int, R2] | Expr[Decimal, R2]"
    ) -> "Expr[Decimal, R | R2]": ...
    @overload
    def __truediv__(  # type: ignore[overload-overlap]  # an expression that is never NULL is one that may be
        self: "Expr[float | None, R]", other: "float | Expr[float | None, R2]"
    ) -> "Expr[float | None, R | R2]": ...
    @overload
    def __truediv__(
        self: "Expr[Decimal | None, R]", other: "int | Decimal | Expr[Decimal | None, R2]"
    ) -> "Expr[Decimal | None, R | R2]": ...
    def __truediv__(self: "Expr[Any, Any]", other: Any) -> "Expr[Any, Any]":
        """
        Divide: integers give a float, as in Python. By zero the result is what the store makes of it: NULL, or an
        error.
        """
        return _arithmetic("div", self, other)

    def __mod__(self: "Expr[int, R] | Expr[int | None, R]", other: "int | Expr[int, R2]") -> "Expr[int, R | R2]":
        return _arithmetic("mod", self, other)

    def __neg__(self: "Expr[N, R]") -> "Expr[N, R]":
        return _arithmetic("sub", _number(self.type.python(0), self), self)

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
            return Call("list_contains", (self, Parameter(part, self.type.item)), BOOLEAN, nullable=self.nullable)
        return _text_match("contains", self, part)

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

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.key}>"


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
        self.type = column.type
        self.nullable = column.nullable

    def to(self, value: "T_co | Expr[T_co, Any] | Ref[T_co]") -> "Assignment[R_co]":
        """Assign a value, an expression over the same row, or the key of a row that the changeset inserts."""
        return Assignment(self, value)

    def __repr__(self) -> str:
        return f"<{self.relation.__name__}.{self.column.attribute}>"


class Assignment(Generic[R_co]):
    """A column and the value that it is to have."""

    __slots__ = ("attribute", "value")

    def __init__(self, attribute: Attribute[Any, R_co], value: Any) -> None:
        self.attribute = attribute
        self.value = value

    @property
    def expression(self) -> Expr[Any, Any]:
        """The value as an expression."""
        return operand(self.value, self.attribute)

    def __repr__(self) -> str:
        column = self.attribute.column
        shown = "..." if column.options.sensitive else repr(self.value)
        return f"<{self.attribute.relation.__name__}.{column.attribute} to {shown}>"


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
        return Order(self.expression.numbered(take), descending=self.descending, nulls_are_last=self.nulls_are_last)

    def __repr__(self) -> str:
        return f"<order {self.key}>"


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
        return Call(
            self.name, tuple([each.numbered(take) for each in self.operands]), self.type, nullable=self.nullable
        )


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
        return RowValue([each.numbered(take) for each in self.items])


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


def operand(value: Any, beside: Expr[Any, Any]) -> Expr[Any, Any]:
    """Return `value` as an expression; a plain value takes the storage type of the expression beside it."""
    if type(value) in _VALUES:
        return Parameter(value, beside.type) if type(beside) is not RowValue else _row_operand(value, beside)
    if isinstance(value, Expr):
        return value
    if isinstance(value, Subselect):
        subquery: Expr[Any, Any] = value.as_scalar()
        return subquery
    if isinstance(beside, RowValue):
        return _row_operand(value, beside)
    return Parameter(value, beside.type)


_VALUES: Final = frozenset({int, str, float, bool, bytes, tuple, Decimal})
"""Classes of values that are looked for first: asking for an abstract class takes longer than all the rest."""


def _row_operand(value: Any, beside: RowValue[Any, Any]) -> Expr[Any, Any]:
    if isinstance(value, tuple) and len(value) == len(beside.items):
        return RowValue([operand(part, item) for part, item in zip(value, beside.items, strict=True)])
    raise QueryError(
        f"a value of {len(beside.items)} parts is compared with {value!r}",
        hint="give a tuple of as many values, in order",
    )


def _comparison(name: str, left: Expr[Any, Any], right: Expr[Any, Any]) -> Expr[bool, Any]:
    return Call(name, (left, right), BOOLEAN, nullable=None)


def _condition(value: object) -> Expr[Any, Any]:
    if (isinstance(value, Expr) and value.type is BOOLEAN) or (isinstance(value, Expr) and value.type == BOOLEAN):
        return value
    raise QueryError(
        f"{value!r} is not a condition", hint="compare it with something: a condition is an expression of type bool"
    )


def _text_match(name: str, text: Expr[Any, Any], pattern: Any) -> Expr[bool, Any]:
    if not issubclass(text.type.python, str):
        raise QueryError(f"{name} needs text, and {text!r} is {text.type.python.__name__}", hint="cast it: .cast(str)")
    return Call(
        name, (text, pattern if isinstance(pattern, Expr) else Parameter(pattern, TEXT)), BOOLEAN, nullable=None
    )


_NUMBERS: Final = (types.Integer, types.Float, types.Numeric, types.Interval)


def _number(value: Any, beside: Expr[Any, Any]) -> Expr[Any, Any]:
    if isinstance(value, Expr):
        return value
    if isinstance(value, float):
        return Parameter(value, FLOAT)
    if isinstance(value, Decimal):
        return Parameter(value, NUMERIC)
    if (isinstance(value, int) and beside.type.python is timedelta) or (
        beside.type.python is Decimal and isinstance(value, int)
    ):
        return Parameter(value, INTEGER)
    if isinstance(beside.type, types.Numeric):
        return Parameter(value, NUMERIC)
    return Parameter(value, beside.type)


def _arithmetic(name: str, left: Expr[Any, Any], other: Any) -> Expr[Any, Any]:
    right = _number(other, left)
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
        return Call(variant, (item, ListParameter(values, item.type)), BOOLEAN, nullable=None)
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
    known = [each for each in values if each is not None]
    listed: Expr[bool, Any] = Call(
        f"{name}_list", (item, _list_parameter(item, known)), BOOLEAN, nullable=item.nullable if name == "in" else False
    )
    if len(known) == len(values):
        return listed
    return item.is_null() | listed if name == "in" else item.is_not_null() & listed


def _either(name: str, item: Expr[Any, Any], options: list[Expr[bool, Any]]) -> Expr[bool, Any]:
    any_of: Expr[bool, Any] = Call("or", tuple(options), BOOLEAN, nullable=None)
    return any_of if name == "in" else Call("is_not_true", (any_of,), BOOLEAN, nullable=False)


def _list_parameter(item: Expr[Any, Any], values: list[Any]) -> Expr[Any, Any]:
    if not isinstance(item, RowValue):
        return ListParameter(values, item.type)
    for each in values:
        if not isinstance(each, tuple) or len(each) != len(item.items):
            raise QueryError(
                f"{each!r} is compared with {len(item.items)} columns", hint="give tuples of as many values, in order"
            )
    return RowValue(
        [ListParameter([each[index] for each in values], part.type) for index, part in enumerate(item.items)]
    )
