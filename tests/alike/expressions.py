"""
Random expressions of each kind of value.

What is in reach goes in: columns, and whatever else an expression may be made of; an expression comes out. Kinds are
`int`, `text`, `decimal`, `float`, `bool`, `date`, `aware` and `naive`. Integers stay far from 64 bits, since a store
may compute in any order, so that whether an overflow is met at all is its own affair.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias

import attrs
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from mapper import exists, fn, literal, scalar
from mapper.expressions import Attribute, Expr, Parameter, RowValue
from mapper.types import (
    Boolean,
    Date,
    Float,
    Integer,
    Interval,
    Numeric,
    StorageType,
    Text,
    Timestamp,
    TimestampTz,
    Varchar,
)
from tests.alike.data import AWARE, DAYS, DECIMALS, FLOATS, NAIVE, SIZES, SPANS, TEXTS

__all__ = ["KINDS", "Expressions", "Node", "Reach", "kind_of"]

Node: TypeAlias = Expr[Any, Any]

KINDS: Final[Mapping[type[StorageType[Any]], str]] = {
    Integer: "int",
    Text: "text",
    Varchar: "text",
    Numeric: "decimal",
    Float: "float",
    Boolean: "bool",
    Date: "date",
    TimestampTz: "aware",
    Timestamp: "naive",
    Interval: "span",
}

VALUES: Final[Mapping[str, st.SearchStrategy[Any]]] = {
    "int": SIZES,
    "text": TEXTS,
    "decimal": DECIMALS,
    "float": FLOATS,
    "bool": st.booleans(),
    "date": DAYS,
    "aware": AWARE,
    "naive": NAIVE,
    "span": SPANS,
}


def kind_of(node: Node) -> str:
    """Return the kind of an expression's value."""
    return KINDS[type(node.type)]


@attrs.frozen
class Reach:
    """
    What expressions may be made of.

    Attributes:
        atoms: Columns, columns of enclosing queries, aggregates …
        subquery: Makes a query of one column of a kind, of one row at most where that is asked for, within which the
            atoms are in reach as `outer(…)`; None where there is to be none.
    """

    atoms: Sequence[Node]
    subquery: Callable[[str, bool], Any] | None

    def of(self, *kinds: str) -> list[Node]:
        """Return the atoms of these kinds."""
        return [each for each in self.atoms if kind_of(each) in kinds]


def _is_large(node: Node) -> bool:
    """Whether an integer may be near the limits."""
    return ".serial" in node.key


class Expressions:
    """
    Draws expressions.

    Each method takes the depth that is left: at 0 it gives an atom or a constant.
    """

    def __init__(self, draw: DrawFn, reach: Reach) -> None:
        self.draw = draw
        self.reach = reach
        self._kinds: dict[str, Callable[[int], Node]] = {
            "int": self.integer,
            "text": self.text,
            "decimal": self.decimal,
            "float": self.real,
            "bool": self.condition,
            "date": self.day,
            "aware": self.aware,
            "naive": self.naive,
            "span": self.span,
        }

    # -- any kind ------------------------------------------------------------------------------------------------------

    def any(self, depth: int) -> Node:
        """Draw an expression of any kind."""
        return self.of(self.kind(), depth)

    def one_of(self, *choices: Any) -> Any:
        """Draw one of these."""
        return self.draw(st.sampled_from(choices))

    def kind(self) -> str:
        """Draw a kind."""
        return self.draw(st.sampled_from(list(self._kinds)))

    def of(self, kind: str, depth: int) -> Node:
        """Draw an expression of a kind."""
        return self._kinds[kind](depth)

    def column(self, kind: str) -> Node:
        """Draw a column of a kind; a constant where there is none."""
        columns = [each for each in self.reach.of(kind) if isinstance(each, Attribute) and not _is_large(each)]
        return self.draw(st.sampled_from(columns)) if columns else self._constant(kind)

    def _choose(self, kind: str, depth: int, options: Iterable[Callable[[], Node]]) -> Node:
        """Draw an atom, or, where depth is left, one of the options or what is possible of any kind."""
        if depth <= 0 or self.draw(st.integers(0, 3)) == 0:
            return self._atom(kind)
        below = depth - 1
        general: list[Callable[[], Node]] = [
            lambda: fn.coalesce(self.of(kind, below), self._value(kind, below)),
            lambda: fn.nullif(self.of(kind, below), self._value(kind, below)),
            lambda: self._case(kind, below),
            lambda: fn.greatest(self.of(kind, below), self._value(kind, below)),
            lambda: fn.least(self.of(kind, below), self.of(kind, below), self._value(kind, 0)),
        ]
        if self.reach.subquery is not None:
            general.append(lambda: self._scalar(kind))
        return self.draw(st.sampled_from([*options, *general]))()

    def _atom(self, kind: str) -> Node:
        found = [each for each in self.reach.of(kind) if not _is_large(each)]
        if found and self.draw(st.integers(0, 4)) > 0:
            return self.one_of(*found)
        return self._constant(kind)

    def _constant(self, kind: str) -> Node:
        value = self.draw(VALUES[kind])
        return Parameter(value, Timestamp()) if kind == "naive" else literal(value)

    def _value(self, kind: str, depth: int) -> Any:
        """Draw an operand: a plain value, or an expression."""
        return self.draw(VALUES[kind]) if self.draw(st.booleans()) else self.of(kind, depth)

    def _case(self, kind: str, depth: int) -> Node:
        pairs = [(self.condition(depth), self.of(kind, depth)) for _ in range(self.draw(st.integers(1, 2)))]
        if self.draw(st.booleans()):
            return fn.case(*pairs)
        return fn.case(*pairs, else_=self._value(kind, depth))

    # -- numbers -------------------------------------------------------------------------------------------------------

    def integer(self, depth: int) -> Node:
        """Draw an integer."""
        below = depth - 1
        return self._choose(
            "int",
            depth,
            [
                lambda: self.integer(below) + self._value("int", below),
                lambda: self.integer(below) - self._value("int", below),
                lambda: self._atom("int") * self.draw(SIZES),
                lambda: self.integer(below) % self._value("int", below),
                lambda: -self.integer(below),
                lambda: fn.abs(self.integer(below)),
                lambda: fn.length(self.text(below)),
                lambda: fn.position(self.text(below), self._value("text", 0)),
                lambda: fn.sign(self.of(self.draw(st.sampled_from(["int", "decimal", "float"])), below)),
                lambda: fn.floor(self.number(0)),
                lambda: fn.ceil(self.number(0)),
                lambda: fn.round(self.integer(below), self.draw(st.integers(-1, 1))),
                lambda: self.number(0).cast(int),
                lambda: self.condition(below).cast(int),
                lambda: self._part(below),
            ],
        )

    def number(self, depth: int) -> Node:
        """Draw a decimal or a float."""
        return self.of(self.draw(st.sampled_from(["decimal", "float"])), depth)

    def _part(self, depth: int) -> Node:
        kind = self.draw(st.sampled_from(["date", "aware", "naive"]))
        parts: list[Callable[[Any], Node]] = [fn.year, fn.month, fn.day]
        if kind != "date":
            parts += [fn.hour, fn.minute, fn.second]
        return self.draw(st.sampled_from(parts))(self.of(kind, depth))

    def decimal(self, depth: int) -> Node:
        """Draw a decimal."""
        below = depth - 1
        return self._choose(
            "decimal",
            depth,
            [
                lambda: self.decimal(below) + self._decimal_operand(below),
                lambda: self.decimal(below) - self._decimal_operand(below),
                lambda: self.decimal(below) * self._decimal_operand(0),
                lambda: self.decimal(below) / self._decimal_operand(below),
                lambda: self.decimal(below) % self._decimal_operand(below),
                lambda: fn.abs(self.decimal(below)),
                lambda: fn.round(self.decimal(below), self.draw(st.integers(-1, 3))),
                lambda: self.integer(below).cast(Decimal),
                lambda: self.real(0).cast(Decimal),
            ],
        )

    def _decimal_operand(self, depth: int) -> Any:
        return self._value(self.draw(st.sampled_from(["decimal", "int"])), depth)

    def real(self, depth: int) -> Node:
        """Draw a float."""
        below = depth - 1
        return self._choose(
            "float",
            depth,
            [
                lambda: self.real(below) + self._value("float", below),
                lambda: self.real(below) - self._value("float", below),
                lambda: self.real(below) * self._value("float", 0),
                lambda: self.real(below) / self._value("float", below),
                lambda: self.integer(below) / self._value("int", below),
                lambda: fn.abs(self.real(below)),
                lambda: fn.round(self.real(below), self.draw(st.integers(-1, 2))),
                lambda: self.integer(below).cast(float),
                lambda: fn.sqrt(self.real(below)),
                lambda: fn.power(self._atom("float"), self.draw(st.sampled_from([-1, 0, 0.5, 2]))),
            ],
        )

    # -- text ----------------------------------------------------------------------------------------------------------

    def text(self, depth: int) -> Node:
        """Draw a text."""
        below = depth - 1
        return self._choose(
            "text",
            depth,
            [
                lambda: self.text(below) + self._value("text", below),
                lambda: fn.lower(self.text(below)),
                lambda: fn.upper(self.text(below)),
                lambda: self.one_of(fn.trim, fn.ltrim, fn.rtrim, fn.reverse)(self.text(below)),
                lambda: self.one_of(fn.left, fn.right, fn.repeat)(self.text(below), self._value("int", 0)),
                lambda: self.one_of(fn.lpad, fn.rpad)(
                    self.text(below), self.draw(st.integers(0, 4)), self.draw(st.sampled_from([" ", "é", "ab"]))
                ),
                lambda: fn.concat(self.text(below), self._value("text", below)),
                lambda: fn.concat_ws(self.draw(st.sampled_from(["", ", "])), self.text(below), self.text(below)),
                lambda: fn.replace(self.text(below), self._value("text", 0), self._value("text", 0)),
                lambda: fn.substring(self.text(below), self._value("int", 0)),
                lambda: fn.substring(self.text(below), self._value("int", 0), self._value("int", 0)),
                lambda: self.integer(below).cast(str),
                lambda: self.draw(st.sampled_from([self.real, self.condition, self.day]))(below).cast(str),
                lambda: self.draw(st.sampled_from([self.aware, self.naive]))(0).cast(str),
            ],
        )

    # -- moments -------------------------------------------------------------------------------------------------------

    def day(self, depth: int) -> Node:
        """Draw a date."""
        return self._choose(
            "date",
            depth,
            [
                lambda: fn.date(self.aware(depth - 1)),
                lambda: fn.date(self.naive(depth - 1)),
                lambda: self.naive(depth - 1).cast(date),
                lambda: fn.date_trunc(self._unit(UNITS), self.day(depth - 1)),
            ],
        )

    def _unit(self, units: Sequence[Any]) -> Any:
        return self.draw(st.sampled_from(units))

    def aware(self, depth: int) -> Node:
        """Draw a moment with its zone."""
        return self._choose(
            "aware",
            depth,
            [
                lambda: self.day(depth - 1).cast(datetime),
                lambda: fn.date_trunc(self._unit([*UNITS, *CLOCK_UNITS]), self.aware(depth - 1)),
            ],
        )

    def naive(self, depth: int) -> Node:
        """Draw a moment without a zone."""
        return self._choose(
            "naive", depth, [lambda: fn.date_trunc(self._unit([*UNITS, *CLOCK_UNITS]), self.naive(depth - 1))]
        )

    def span(self, depth: int) -> Node:
        """Draw what lies between two moments."""
        below = depth - 1
        return self._choose(
            "span",
            depth,
            [
                lambda: self.aware(below) - self._value("aware", below),
                lambda: self.naive(below) - self.naive(below),
                lambda: self.day(below) - self._value("date", below),
                lambda: self.span(below) + self._value("span", 0),
                lambda: -self.span(below),
            ],
        )

    # -- conditions ----------------------------------------------------------------------------------------------------

    def condition(self, depth: int) -> Node:
        """Draw a condition."""
        below = depth - 1
        options: list[Callable[[], Node]] = [
            lambda: self._compared(below),
            lambda: self._compared(below),
            lambda: self.condition(below) & self.condition(below),
            lambda: self.condition(below) | self.condition(below),
            lambda: ~self.condition(below),
            lambda: self._null_test(below),
            lambda: self._distinct(below),
            lambda: self._between(below),
            lambda: self._listed(below),
            lambda: self._pair_listed(below),
            lambda: self._matched(below),
        ]
        if self.reach.subquery is not None:
            options += [lambda: self._in_query(below), lambda: self._exists()]
        return self._choose("bool", depth, options)

    def _operand(self, kind: str, depth: int) -> Node:
        """Draw what is compared: of integers also those near the limits."""
        large = [each for each in self.reach.of(kind) if _is_large(each)]
        if large and self.draw(st.integers(0, 3)) == 0:
            return self.draw(st.sampled_from(large))
        return self.of(kind, depth)

    def _compared(self, depth: int) -> Node:
        kind = self.kind()
        left, right = self._operand(kind, depth), self._value(kind, depth)
        comparisons: list[Callable[[], Node]] = [
            lambda: left == right,
            lambda: left != right,
            lambda: left < right,
            lambda: left <= right,
            lambda: left > right,
            lambda: left >= right,
        ]
        return self.draw(st.sampled_from(comparisons))()

    def _null_test(self, depth: int) -> Node:
        operand = self._operand(self.kind(), depth)
        return self.draw(st.sampled_from([operand.is_null, operand.is_not_null]))()

    def _distinct(self, depth: int) -> Node:
        kind = self.kind()
        left = self._operand(kind, depth)
        right = None if self.draw(st.integers(0, 3)) == 0 else self._value(kind, depth)
        return left.is_distinct_from(right) if self.draw(st.booleans()) else left.is_not_distinct_from(right)

    def _between(self, depth: int) -> Node:
        kind = self.kind()
        return self._operand(kind, depth).between(self._value(kind, depth), self._value(kind, depth))

    def _listed(self, depth: int) -> Node:
        kind = self.kind()
        item = self._operand(kind, depth)
        values: list[Any] = self.draw(st.lists(st.none() | VALUES[kind], max_size=4))
        if self.draw(st.integers(0, 5)) == 0:
            values.append(self.of(kind, depth))
        return item.in_(values) if self.draw(st.booleans()) else item.not_in(values)

    def _pair_listed(self, depth: int) -> Node:
        kinds = [self.kind(), self.kind()]
        pair: Node = RowValue([self._operand(each, depth) for each in kinds])
        values = self.draw(st.lists(st.tuples(*[VALUES[each] for each in kinds]), max_size=3))
        return pair.in_(values) if self.draw(st.booleans()) else pair.not_in(values)

    def _matched(self, depth: int) -> Node:
        text = self.text(depth)
        if self.draw(st.integers(0, 19)) == 0:
            return text.ilike(self.draw(PATTERNS))
        if self.draw(st.booleans()):
            return text.like(self.draw(PATTERNS))
        match = self.draw(st.sampled_from([text.starts_with, text.ends_with, text.contains]))
        return match(self._value("text", depth))

    # -- subqueries ----------------------------------------------------------------------------------------------------

    def _scalar(self, kind: str) -> Node:
        assert self.reach.subquery is not None
        return scalar(self.reach.subquery(kind, True))

    def _in_query(self, depth: int) -> Node:
        assert self.reach.subquery is not None
        kind = self.kind()
        item, query = self._operand(kind, depth), self.reach.subquery(kind, False)
        return item.in_(query) if self.draw(st.booleans()) else item.not_in(query)

    def _exists(self) -> Node:
        assert self.reach.subquery is not None
        return exists(self.reach.subquery(self.kind(), False))


UNITS: Final = ["year", "quarter", "month", "week", "day"]
CLOCK_UNITS: Final = ["hour", "minute", "second"]

PATTERNS: Final = st.lists(st.sampled_from(["a", "A", "%", "_", "\\%", "\\_", "\\\\", "é", "😀", "b"]), max_size=4).map(
    "".join
)
