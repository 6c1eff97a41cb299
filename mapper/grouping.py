"""
Grouping sets: groups of several kinds in one query, as subtotals and totals are.

Expressions go in; a term of `group_by` comes out. Where a row is of a group that an expression is no part of, the
expression is NULL, and so what is selected of it must be `optional(...)`; `fn.grouping` tells that from a NULL among
the values.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from typing_extensions import TypeVar

from mapper.errors import QueryError
from mapper.expressions import BOOLEAN, INTEGER, Call, Expr, RowValue

__all__ = ["Grouping", "cube", "grouping", "grouping_sets", "leaves", "rollup"]

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True, default=Any)


class Grouping(Call[Any, R_co]):
    """A term of `group_by` that makes groups of several kinds; its name is `rollup`, `cube` or `grouping_sets`."""

    __slots__ = ()


def rollup(*terms: Expr[Any, R]) -> Grouping[R]:
    """Group by all of these, then by all but the last, and so on to one group of all rows: totals of a hierarchy."""
    return _grouping("rollup", terms)


def cube(*terms: Expr[Any, R]) -> Grouping[R]:
    """Group by every combination of these, down to one group of all rows."""
    return _grouping("cube", terms)


def grouping_sets(*sets: Iterable[Expr[Any, R]]) -> Grouping[R]:
    """Group by each of these: `grouping_sets((Sales.year, Sales.country), (Sales.year,), ())`."""
    if not sets or any(isinstance(each, Expr) for each in sets):
        raise QueryError(f"grouping_sets takes tuples of expressions, not {sets!r}", hint="write one as (Sales.year,)")
    return Grouping(
        "grouping_sets", tuple([RowValue(_terms("grouping_sets", each)) for each in sets]), BOOLEAN, nullable=False
    )


def grouping(term: Expr[Any, R]) -> Expr[int, R]:
    """Return 1 in rows of groups that `term` is no part of, and 0 in others."""
    return Call("grouping", (term,), INTEGER, nullable=False)


def leaves(terms: Sequence[Expr[Any, Any]]) -> Iterator[Expr[Any, Any]]:
    """Give the expressions that some groups are no part of."""
    for term in terms:
        if isinstance(term, Grouping):
            for each in term.operands:
                yield from each.items if isinstance(each, RowValue) else (each,)


def _grouping(name: str, terms: Sequence[Any]) -> Grouping[Any]:
    if not terms:
        raise QueryError(f"{name} of nothing", hint=f"fn.{name}(Sales.year, Sales.month)")
    return Grouping(name, _terms(name, terms), BOOLEAN, nullable=False)


def _terms(name: str, terms: Iterable[Any]) -> tuple[Expr[Any, Any], ...]:
    found = tuple(terms)
    for each in found:
        if not isinstance(each, Expr) or isinstance(each, Grouping | RowValue):
            raise QueryError(f"{name} takes expressions, not {each!r}", hint="name columns: Sales.year")
    return found
