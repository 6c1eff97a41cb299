"""
Frames: which rows around the current one a window function looks at.

Bounds go in, a `Frame` comes out. They are counted in rows, in groups of equal rows, or by the distance between values.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias

from attrs import frozen

from mapper.errors import QueryError

__all__ = ["Distance", "Excluded", "Frame", "groups_between", "range_between", "rows_between"]

Distance: TypeAlias = int | float | Decimal | timedelta
"""How far a value may be from that of the current row."""

Excluded: TypeAlias = Literal["current row", "group", "ties"]
"""What a frame leaves out: the current row, it and those equal to it in the window's order, or these others alone."""

Unit: TypeAlias = Literal["rows", "groups", "range"]

LARGEST: Final = 2**63 - 1


@frozen
class Frame:
    """
    Rows around the current one, in the window's order.

    Attributes:
        start, end: Both included; None is unbounded, negative before, positive after. In a range or groups, 0 is the
            first or the last of the rows that are equal to the current one.
        unit: What they count.
        exclude: What of these is left out; None for nothing.
    """

    start: Distance | None
    end: Distance | None
    unit: Unit = "rows"
    exclude: Excluded | None = None

    @property
    def key(self) -> str:
        """Its shape, with its bounds."""
        return f"{self.unit} {self.start!r} {self.end!r}{f' {self.exclude}' if self.exclude else ''}"

    @property
    def distances(self) -> list[Distance]:
        """The distances of a range that are not 0."""
        return [each for each in (self.start, self.end) if self.unit == "range" and each]

    def __str__(self) -> str:
        excluded = f" EXCLUDE {self.exclude.upper()}" if self.exclude else ""
        return f"{self.unit.upper()} {self.start} TO {self.end}{excluded}"


def rows_between(start: int | None, end: int | None, *, exclude: Excluded | None = None) -> Frame:
    """
    Return a frame of rows: `rows_between(-2, 0)` is the current row and the two before it; None is unbounded.

    Raises:
        QueryError: The frame ends before it starts, or its bounds are no integers.
    """
    return _frame(start, end, "rows", exclude)


def groups_between(start: int | None, end: int | None, *, exclude: Excluded | None = None) -> Frame:
    """
    Return a frame of groups of rows that are equal in the window's order: `groups_between(-1, 0)` is the group of the
    current row and the one before it; None is unbounded.

    Raises:
        QueryError: As in `rows_between`.
    """
    return _frame(start, end, "groups", exclude)


def range_between(start: Distance | None, end: Distance | None, *, exclude: Excluded | None = None) -> Frame:
    """
    Return a frame by distance: `range_between(-5, 0)` is the rows whose value, that by which the window is ordered, is
    at most 5 before that of the current row, in the direction of the order; None is unbounded, 0 is equal rows.

    Args:
        start, end: Numbers where the order is one of numbers, a `timedelta` where it is one of dates or times. With
            one that is not 0 the window has one term of order.
        exclude: What of these is left out.

    Raises:
        QueryError: The frame ends before it starts, its bounds are not of one kind, or one is not finite.
    """
    return _frame(start, end, "range", exclude)


def _frame(start: Distance | None, end: Distance | None, unit: Unit, exclude: Excluded | None) -> Frame:
    if exclude not in (None, "current row", "group", "ties"):
        raise QueryError(
            f"a frame excludes {exclude!r}", hint="give exclude='current row', exclude='group' or exclude='ties'"
        )
    for each in (start, end):
        _require_bound(each, unit)
    if start is not None and end is not None and _starts_later(start, end):
        raise QueryError(f"a frame from {start} to {end} ends before it starts", hint="give the smaller number first")
    return Frame(start, end, unit, exclude)


def _require_bound(bound: Any, unit: Unit) -> None:
    if bound is None:
        return
    known: tuple[type[Any], ...] = (int, float, Decimal, timedelta) if unit == "range" else (int,)
    expected = "a number or a timedelta" if unit == "range" else "an integer"
    if isinstance(bound, bool) or not isinstance(bound, known):
        raise QueryError(f"a frame of {unit} is bounded by {bound!r}", hint=f"give {expected}, or None for no bound")
    if not isinstance(bound, timedelta) and not -LARGEST <= bound <= LARGEST:
        raise QueryError(f"a frame is bounded by {bound!r}, which is no distance", hint="give None for no bound")


def _starts_later(start: Distance, end: Distance) -> bool:
    if not start or not end:
        # Zero is equal rows, whatever the distances are counted in.
        return _sign(start) > _sign(end)
    if isinstance(start, timedelta) and isinstance(end, timedelta):
        return start > end
    if isinstance(start, timedelta) or isinstance(end, timedelta):
        raise QueryError(
            f"a frame from {start!r} to {end!r} has bounds of two kinds", hint="give two numbers or two timedeltas"
        )
    return start > end


def _sign(distance: Distance) -> int:
    if isinstance(distance, timedelta):
        return (distance > timedelta()) - (distance < timedelta())
    return (distance > 0) - (distance < 0)
