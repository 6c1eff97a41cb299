"""
Order.

Terms and a scope go in; a function that sorts rows comes out. Sorting is stable, text goes by code point, and NULLs
come where the term puts them.
"""

import heapq
from collections.abc import Iterable, Sequence
from typing import Any

from attrs import frozen

from gateways.memory.computing import Compute, Row, Values
from gateways.memory.expressions import compile_expression
from gateways.memory.scope import Scope
from mapper.expressions import Order

__all__ = ["Term", "compile_terms", "ordered", "peers", "places", "term_of"]


@frozen(eq=False)
class Term:
    """
    A term of an order.

    Attributes:
        nulls_high: NULL counts as larger than every value, before the direction is considered.
    """

    compute: Compute
    descending: bool
    nulls_high: bool

    def keys(self, rows: Iterable[Row], values: Values) -> list[Any]:
        """Return what the rows are compared by."""
        compute = self.compute
        found = [compute(row, values) for row in rows]
        if None not in found:
            return found
        high = self.nulls_high
        return [((x is None) is high, x) for x in found]


def compile_terms(order_by: Sequence[Order[Any]], scope: Scope) -> list[Term]:
    """Compile the terms of an order."""
    return [term_of(each, compile_expression(each.expression, scope)) for each in order_by]


def term_of(order: Order[Any], compute: Compute) -> Term:
    """Return a term over another expression than its own."""
    return Term(compute, order.descending, order.nulls_are_last is not order.descending)


def ordered(rows: Iterable[Row], terms: Sequence[Term], values: Values, top: int | None = None) -> list[Row]:
    """Return the rows in order; with `top`, the first of them only."""
    listed = list(rows)
    return [listed[place] for place in places(listed, terms, values, top)]


def places(rows: Sequence[Row], terms: Sequence[Term], values: Values, top: int | None = None) -> list[int]:
    """As `ordered`, but return the positions of the rows instead."""
    if top is not None and len(terms) == 1 and top * 10 < len(rows):
        return _first(rows, terms[0], values, top)
    found = list(range(len(rows)))
    for term in reversed(terms):
        found.sort(key=term.keys(rows, values).__getitem__, reverse=term.descending)
    return found if top is None else found[:top]


def _first(rows: Sequence[Row], term: Term, values: Values, top: int) -> list[int]:
    """Return the first positions by one term without sorting the others."""
    choose = heapq.nlargest if term.descending else heapq.nsmallest
    return choose(top, range(len(rows)), key=term.keys(rows, values).__getitem__)


def peers(rows: Sequence[Row], terms: Sequence[Term], values: Values) -> list[int]:
    """Return for each row of an ordered list the number of the group of equal ones that it is in, from 0."""
    computed = [tuple([term.compute(row, values) for term in terms]) for row in rows]
    numbers: list[int] = []
    for index, each in enumerate(computed):
        same = index > 0 and each == computed[index - 1]
        numbers.append(numbers[-1] + (0 if same else 1) if numbers else 0)
    return numbers
