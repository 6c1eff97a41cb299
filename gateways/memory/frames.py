"""
Frames: which rows of a partition each of its rows looks at.

The rows of a partition, in order, and a frame go in; the positions that it has for each row come out. Without a frame
it is what SQL has by default: with an order, from the first row of the partition to the last one that is equal to the
current; without, all of it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import chain
from typing import Any, Final

from gateways.memory.computing import Row, Values
from gateways.memory.ordering import Term, peers
from gateways.memory.running import Bounds
from mapper.frames import Frame
from mapper.types import decimals

__all__ = ["bounds", "members"]

MICROSECOND: Final = timedelta(microseconds=1)


def members(rows: Sequence[Row], terms: Sequence[Term], values: Values, frame: Frame | None) -> list[Sequence[int]]:
    """Return for each row the positions that its frame has, in order."""
    found = bounds(rows, terms, values, frame)
    if frame is None or frame.exclude is None:
        return [range(low, high) for low, high in found]
    left_out = _groups(rows, terms, values)
    if frame.exclude == "current row":
        left_out = [(index, index + 1) for index in range(len(rows))]
    kept = frame.exclude == "ties"
    return [_without(each, left_out[index], index if kept else None) for index, each in enumerate(found)]


def bounds(rows: Sequence[Row], terms: Sequence[Term], values: Values, frame: Frame | None) -> Bounds:
    """
    Return for each row the positions at which its frame begins and ends, the end excluded, before anything is left out
    of it.
    """
    size = len(rows)
    if frame is None:
        return [(0, end) for _, end in _groups(rows, terms, values)]
    match frame.unit:
        case "rows":
            start, end = _whole(frame.start), _whole(frame.end)
            return [
                (
                    0 if start is None else min(size, max(0, index + start)),
                    size if end is None else min(size, max(0, index + end + 1)),
                )
                for index in range(size)
            ]
        case "groups":
            return _of_groups(_groups(rows, terms, values), _whole(frame.start), _whole(frame.end))
        case _:
            return _of_range(rows, terms, values, frame)


def _whole(bound: Any) -> int | None:
    return None if bound is None else int(bound)


def _groups(rows: Sequence[Row], terms: Sequence[Term], values: Values) -> Bounds:
    """Return for each row where the rows that are equal to it begin and end; without an order all are."""
    if not terms:
        return [(0, len(rows))] * len(rows)
    numbers = peers(rows, terms, values)
    starts = {number: len(rows) - 1 - index for index, number in enumerate(reversed(numbers))}
    ends = {number: index + 1 for index, number in enumerate(numbers)}
    return [(starts[number], ends[number]) for number in numbers]


def _without(bound: tuple[int, int], left_out: tuple[int, int], kept: int | None) -> Sequence[int]:
    (low, high), (first, behind) = bound, left_out
    before, after = range(low, min(high, first)), range(max(low, behind), high)
    middle = (kept,) if kept is not None and low <= kept < high else ()
    return [*chain(before, middle, after)]


def _of_groups(groups: Bounds, start: int | None, end: int | None) -> Bounds:
    size, distinct = len(groups), list(dict.fromkeys(groups))
    numbers = {group: number for number, group in enumerate(distinct)}

    def frame(number: int) -> tuple[int, int]:
        first = 0 if start is None else max(0, number + start)
        last = len(distinct) - 1 if end is None else min(len(distinct) - 1, number + end)
        return (distinct[first][0] if first < len(distinct) else size, distinct[last][1] if last >= 0 else 0)

    found = [frame(number) for number in range(len(distinct))]
    return [found[numbers[group]] for group in groups]


def _of_range(rows: Sequence[Row], terms: Sequence[Term], values: Values, frame: Frame) -> Bounds:
    """NULLs are as far from each other as equal values, and from others farther than any bound but none."""
    groups, size = _groups(rows, terms, values), len(rows)
    if not frame.distances:
        return [(0 if frame.start is None else low, size if frame.end is None else high) for low, high in groups]
    (term,) = terms
    keys = [term.compute(row, values) for row in rows]
    known = [index for index, key in enumerate(keys) if key is not None]
    first, behind = (known[0], known[-1] + 1) if known else (0, 0)
    line = _line(keys[first:behind], descending=term.descending)
    start, end = _moved(frame.start), _moved(frame.end)

    def low(index: int) -> int:
        if start is None:
            return 0
        if not start or keys[index] is None:
            return groups[index][0]
        return first + bisect_left(line, _sum(line[index - first], start))

    def high(index: int) -> int:
        if end is None:
            return size
        if not end or keys[index] is None:
            return groups[index][1]
        return first + bisect_right(line, _sum(line[index - first], end))

    return [(low(index), high(index)) for index in range(size)]


def _line(keys: Sequence[Any], *, descending: bool) -> list[Any]:
    """Return numbers that grow, and whose differences are those of the keys; of moments in microseconds."""
    numbers = [_number(keys[0], each) for each in keys]
    return [_negated(each) for each in numbers] if descending else numbers


def _number(origin: Any, key: Any) -> Any:
    match key:
        case time():
            return (datetime.combine(date.min, key) - datetime.min) // MICROSECOND
        case date() | timedelta():
            return (key - origin) // MICROSECOND
        case _:
            return key


def _moved(distance: Any) -> Any:
    return distance // MICROSECOND if isinstance(distance, timedelta) else distance


def _negated(number: Any) -> Any:
    return number.copy_negate() if isinstance(number, Decimal) else -number


def _sum(number: Any, distance: Any) -> Any:
    return decimals.add(number, Decimal(distance)) if isinstance(number, Decimal) else number + distance
