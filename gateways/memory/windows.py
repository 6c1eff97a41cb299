"""
Windows: a value for each row, computed over the rows around it.

The scope of a select's rows (or groups) goes in; a scope whose rows have the windows' values too comes out. A row is
then a pair of the row before and these values.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from gateways.memory.aggregates import reducer
from gateways.memory.computing import Path, Row, Values
from gateways.memory.expressions import compile_expression, frozen_value, row_of
from gateways.memory.frames import bounds, members
from gateways.memory.ordering import Term, compile_terms, peers, places
from gateways.memory.running import over_frames, reduced
from gateways.memory.scope import Scope, identity
from mapper.errors import Unsupported
from mapper.expressions import Attribute, Expr
from mapper.functions import Aggregate, Frame, Window

__all__ = ["Windows"]

Compute: TypeAlias = Callable[[Sequence[Row], Values], list[Any]]
"""A function of all rows, giving a value for each."""

Ranked: TypeAlias = Callable[[Sequence[Row], Sequence[Term], Values], list[Any]]
"""A function of the rows of a partition, in order, and that order."""


class Windows(Scope):
    """The rows of a select with the values of its windows, which are compiled as they are met."""

    __slots__ = ("_computes", "_inner", "_places")

    def __init__(self, inner: Scope) -> None:
        super().__init__(inner.compilation, inner.sources, parent=inner.parent, commons=inner.commons)
        self._inner = inner
        self._places: dict[object, int] = {}
        self._computes: list[Compute] = []

    def place(self, expression: Expr[Any, Any]) -> Path | None:
        """As in any scope; a window is a column."""
        if isinstance(expression, Window):
            return (1, self._window(expression))
        path = self._inner.place(expression)
        return None if path is None else (0, *path)

    def column(self, attribute: Attribute[Any, Any]) -> Path | None:
        """As `place`."""
        return self.place(attribute)

    def rows(self, rows: Sequence[Row], values: Values) -> list[Row]:
        """Return the rows, each with the values of the windows."""
        columns = [compute(rows, values) for compute in self._computes]
        return list(zip(rows, zip(*columns, strict=True), strict=True)) if columns else [(row, ()) for row in rows]

    def _window(self, window: Window[Any, Any]) -> int:
        key = identity(window)
        index = self._places.get(key)
        if index is None:
            index = self._places[key] = len(self._computes)
            self._computes.append(_compile(window, self._inner))
        return index


def _compile(window: Window[Any, Any], scope: Scope) -> Compute:
    key = row_of([compile_expression(each, scope) for each in window.partition_by])
    terms = compile_terms(window.order_by, scope)
    function = _function(window, scope)

    def compute(rows: Sequence[Row], values: Values) -> list[Any]:
        partitions: dict[Any, list[int]] = {}
        for index, row in enumerate(rows):
            partitions.setdefault(frozen_value(key(row, values)), []).append(index)
        results: list[Any] = [None] * len(rows)
        for partition in partitions.values():
            found = [rows[index] for index in partition]
            order = places(found, terms, values)
            computed = function([found[place] for place in order], terms, values)
            for place, value in zip(order, computed, strict=True):
                results[partition[place]] = value
        return results

    return compute


def _function(window: Window[Any, Any], scope: Scope) -> Ranked:
    function = window.function
    if function.name in _RANKS:
        return _RANKS[function.name]
    if function.name in {"lag", "lead"}:
        return _neighbour(function, scope)
    if function.name == "ntile":
        return _buckets(function, scope)
    if function.name in {"first_value", "last_value", "nth_value"}:
        return _one_of_frame(function, window.frame, scope)
    if function.window_only:
        raise Unsupported(function.name, "memory", f"{function.name!r} is not a window function of the memory gateway")
    return _aggregate(function, window.frame, scope)


def _row_numbers(rows: Sequence[Row], terms: Sequence[Term], values: Values) -> list[Any]:
    del terms, values
    return list(range(1, len(rows) + 1))


def _ranks(rows: Sequence[Row], terms: Sequence[Term], values: Values) -> list[Any]:
    ranks: list[int] = []
    numbers = peers(rows, terms, values)
    for index, number in enumerate(numbers):
        ranks.append(ranks[-1] if index and numbers[index - 1] == number else index + 1)
    return ranks


def _dense_ranks(rows: Sequence[Row], terms: Sequence[Term], values: Values) -> list[Any]:
    return [number + 1 for number in peers(rows, terms, values)]


def _relative_ranks(rows: Sequence[Row], terms: Sequence[Term], values: Values) -> list[Any]:
    others = len(rows) - 1
    return [(rank - 1) / others if others else 0.0 for rank in _ranks(rows, terms, values)]


def _distributions(rows: Sequence[Row], terms: Sequence[Term], values: Values) -> list[Any]:
    return [end / len(rows) for _, end in bounds(rows, terms, values, None)]


_RANKS: Final[dict[str, Ranked]] = {
    "row_number": _row_numbers,
    "rank": _ranks,
    "dense_rank": _dense_ranks,
    "percent_rank": _relative_ranks,
    "cume_dist": _distributions,
}


def _buckets(function: Aggregate[Any, Any], scope: Scope) -> Ranked:
    count = compile_expression(function.operands[0], scope)

    def compute(rows: Sequence[Row], terms: Sequence[Term], values: Values) -> list[Any]:
        del terms
        size, larger = divmod(len(rows), count(rows[0], values))
        numbers = [number for number in range(1, larger + 1) for _ in range(size + 1)]
        if size:
            numbers.extend(larger + 1 + place // size for place in range(len(rows) - len(numbers)))
        return numbers

    return compute


def _neighbour(function: Aggregate[Any, Any], scope: Scope) -> Ranked:
    item, offset = [compile_expression(each, scope) for each in function.operands]
    direction = -1 if function.name == "lag" else 1

    def compute(rows: Sequence[Row], terms: Sequence[Term], values: Values) -> list[Any]:
        del terms
        found = []
        for index, row in enumerate(rows):
            distance = offset(row, values)
            place = None if distance is None else index + direction * distance
            found.append(None if place is None or not 0 <= place < len(rows) else item(rows[place], values))
        return found

    return compute


def _one_of_frame(function: Aggregate[Any, Any], frame: Frame | None, scope: Scope) -> Ranked:
    item, *place = [compile_expression(each, scope) for each in function.operands]
    last = function.name == "last_value"

    def compute(rows: Sequence[Row], terms: Sequence[Term], values: Values) -> list[Any]:
        number = -1 if last else place[0](rows[0], values) - 1 if place else 0
        found = members(rows, terms, values, frame)
        return [item(rows[each[number]], values) if len(each) > max(0, number) else None for each in found]

    return compute


def _aggregate(function: Aggregate[Any, Any], frame: Frame | None, scope: Scope) -> Ranked:
    reduce = reducer(function)
    keep = compile_expression(function.filter, scope) if function.filter is not None else None
    item = compile_expression(function.operands[0], scope) if function.operands else None

    def counted(row: Row, values: Values) -> Any:
        """The row's value, or None where it does not count."""
        if keep is not None and keep(row, values) is not True:
            return None
        return True if item is None else item(row, values)

    def compute(rows: Sequence[Row], terms: Sequence[Term], values: Values) -> list[Any]:
        items = [counted(row, values) for row in rows]
        if frame is not None and frame.exclude is not None:
            found = members(rows, terms, values, frame)
            return [reduced(function, [items[place] for place in each], reduce) for each in found]
        return over_frames(function, items, bounds(rows, terms, values, frame), reduce)

    return compute
