"""
Set operations to SQL, in the order in which they are applied, with the order of the whole.

A select with set operations goes in; the SQL of its rows and that of their order come out. No operand stands in
parentheses, which not every
database takes: what needs them becomes a subquery.
"""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from gateways.sql.dialect import Dialect
from gateways.sql.expressions import Expressions, Subselect
from gateways.sql.pieces import NOTHING, Sql, joined, sql
from gateways.sql.scopes import Around, Scope, selected
from gateways.sql.shapes import is_open, not_selected
from mapper.assembly import walk
from mapper.errors import QueryError
from mapper.expressions import Attribute, Order
from mapper.statements import Select

__all__ = ["Compounds"]

Core: TypeAlias = Callable[[Select, Around, bool], Sql]
"""
Makes the SQL of a select without its set operations, order and limit; with True its columns are named `c0`, `c1` …
"""


class Compounds:
    """Makes SQL of set operations."""

    def __init__(self, dialect: Dialect, expressions: Expressions, core: Core, whole: Subselect) -> None:
        self.dialect = dialect
        self._expressions = expressions
        self._core = core
        self._whole = whole

    def render(self, select: Select, around: Around, named: bool) -> tuple[Sql, Sql]:
        """Return the SQL of a select's rows, set operations done, and that of their order."""
        positions = [selected(select, each.expression, self._expressions.pairs) for each in select.order_by]
        computed = any(each is None for each in positions)
        emulated = any(operator not in self.dialect.compounds for operator, _ in select.compound)
        body = self._combined(select, around, named or computed or emulated)
        if computed:
            scope = Scope(self.dialect, around, qualified=True)
            body = sql("SELECT * FROM (", body, f") AS {self.dialect.name_of(scope.add('whole', select=select))}")
            terms = [
                self._expressions.order(_over_selected(select, each), scope, nullable=True) for each in select.order_by
            ]
        else:
            terms = [
                self._by_position(select, term, position)
                for term, position in zip(select.order_by, positions, strict=True)
            ]
        return body, sql(" ORDER BY ", joined(terms, ", ")) if terms else NOTHING

    def _by_position(self, select: Select, term: Order[Any], position: int | None) -> Sql:
        assert position is not None
        scope = Scope(self.dialect, Around(), qualified=True)
        return self._expressions.order(term, scope, text=sql(str(position + 1)), nullable=may_be_null(select, position))

    def _combined(self, select: Select, around: Around, named: bool) -> Sql:
        body = self._core(select, around, named)
        loose = False
        for operator, right in select.compound:
            _check_widths(select, right)
            text = self.dialect.compounds.get(operator)
            if text is None:
                body, loose = self._matched(operator, body, right, around), False
                continue
            intersects = operator.startswith("intersect")
            if intersects and loose and self.dialect.intersect_first:
                body = self._subquery(body, "sofar")
            loose = not intersects
            body = sql(body, f" {text} ", self._operand(right, around))
        return body

    def _operand(self, select: Select, around: Around) -> Sql:
        whole = (select.compound, select.order_by, select.limit is not None, select.offset is not None, select.ctes)
        shielded = not self.dialect.right_joins_in_parts and any(each.kind in _RIGHT for each in select.joins)
        if any(whole) or shielded:
            return self._subquery(self._whole(select, around, False), "part")
        return self._core(select, around, False)

    def _subquery(self, body: Sql, alias: str) -> Sql:
        return sql("SELECT * FROM (", body, f") AS {self.dialect.name_of(alias)}")

    def _matched(self, operator: str, left: Sql, right: Select, around: Around) -> Sql:
        """
        Return INTERSECT ALL or EXCEPT ALL for a store that has neither: equal rows are numbered, so that the operation
        without ALL, which drops duplicates, finds none.
        """
        what = operator.replace("_", " ")
        self.dialect.capabilities.require("windows", what=what)
        columns = ", ".join([self.dialect.name_of(f"c{each}") for each in range(len(right.items))])
        head = f"SELECT {columns}, row_number() OVER (PARTITION BY {columns}) AS {self.dialect.name_of('n')} FROM ("
        text = self.dialect.compounds[operator.removesuffix("_all")]
        numbered = sql(head, left, f") AS {self.dialect.name_of('lefts')} {text} ", head)
        rights = sql(self._whole(right, around, True), f") AS {self.dialect.name_of('rights')}")
        return sql(f"SELECT {columns} FROM (", numbered, rights, f") AS {self.dialect.name_of('matched')}")


_RIGHT: Final = frozenset({"right", "full"})


def may_be_null(select: Select, position: int) -> bool:
    """Whether a column of a select, set operations done, can be NULL."""
    here = select.columns[position].nullable
    return here or any(may_be_null(right, position) for _, right in select.compound if position < len(right.columns))


def _check_widths(left: Select, right: Select) -> None:
    if left.items and right.items and len(left.items) != len(right.items):
        raise QueryError(
            f"a set operation of {len(left.items)} columns with {len(right.items)}",
            hint="select the same number of columns on both sides",
        )


def _over_selected(select: Select, term: Order[Any]) -> Order[Any]:
    if is_open(term.expression):
        raise not_selected(term.expression)
    for each in walk(term.expression):
        if isinstance(each, Attribute) and selected(select, each, []) is None:
            raise not_selected(each)
    return term
