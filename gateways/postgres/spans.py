"""
The arithmetic of ranges: in what form a range is written, whether two of them meet, what several are together.

Bounds go in, as `(lower, upper, bounds)` with None for no bound and one of `[) [] (] () empty`; the same comes out, in
the form that PostgreSQL gives it.
"""

import datetime as dt
from collections.abc import Iterable
from functools import cmp_to_key
from typing import Any, Final, TypeAlias

__all__ = ["BOUNDS", "EMPTY", "Span", "canonical", "merged", "overlap"]

Span: TypeAlias = tuple[Any, Any, str]

BOUNDS: Final = ("[)", "[]", "(]", "()", "empty")
EMPTY: Final[Span] = (None, None, "empty")

_DAY: Final = dt.timedelta(days=1)


def canonical(lower: Any, upper: Any, bounds: str) -> Span:
    """
    Return the one form in which a range is written: integers and dates from a bound that belongs to it up to one that
    does not, no bound that belongs to it where there is none, and every range without values as the empty one.

    The last date that Python has stays a bound that belongs to the range, since it has no next one.

    Raises:
        ValueError: The range ends before it begins, or its bounds are unknown.
    """
    if bounds not in BOUNDS:
        raise ValueError(f"the bounds of a range are {bounds!r}, expected one of: {', '.join(BOUNDS)}")
    if bounds == "empty":
        return EMPTY
    if lower is not None and upper is not None and lower > upper:
        raise ValueError(f"the range from {lower!r} to {upper!r} ends before it begins")
    begins, ends = bounds[0] == "[" and lower is not None, bounds[1] == "]" and upper is not None
    if lower is not None and not begins and _is_discrete(lower):
        lower, begins = _next(lower), True
    if ends and _is_discrete(upper) and upper != dt.date.max:
        upper, ends = _next(upper), False
    if lower is not None and upper is not None and (lower > upper or (lower == upper and not (begins and ends))):
        return EMPTY
    return lower, upper, f"{'[' if begins else '('}{']' if ends else ')'}"


def overlap(left: Span, right: Span) -> bool:
    """Whether some value is in both."""
    return EMPTY not in (left, right) and _begins_within(left, right) and _begins_within(right, left)


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return ranges in ascending order, with those that overlap or meet as one, and without the empty ones."""
    found: list[Span] = []
    for each in sorted([each for each in spans if each != EMPTY], key=cmp_to_key(_beginnings)):
        if found and _meet(found[-1], each):
            found[-1] = _together(found[-1], each)
        else:
            found.append(each)
    return found


def _is_discrete(bound: object) -> bool:
    """Whether there is a next value, as of integers and of dates."""
    return isinstance(bound, int) or (isinstance(bound, dt.date) and not isinstance(bound, dt.datetime))


def _next(bound: Any) -> Any:
    if bound == dt.date.max:
        raise ValueError("the range begins after the last date that Python has")
    return bound + _DAY if isinstance(bound, dt.date) else bound + 1


def _begins_within(left: Span, right: Span) -> bool:
    """Whether `left` begins before `right` has ended."""
    if left[0] is None or right[1] is None:
        return True
    both = left[2][0] == "[" and right[2][1] == "]"
    return bool(left[0] <= right[1] if both else left[0] < right[1])


def _meet(left: Span, right: Span) -> bool:
    """Whether no value lies between the end of `left` and the beginning of `right`, which begins no earlier."""
    if left[1] is None or right[0] is None:
        return True
    either = left[2][1] == "]" or right[2][0] == "["
    return bool(right[0] <= left[1] if either else right[0] < left[1])


def _together(left: Span, right: Span) -> Span:
    """Return two ranges that meet as one."""
    last = right if _ends_after(right, left) else left
    return left[0], last[1], f"{left[2][0]}{last[2][1]}"


def _beginnings(left: Span, right: Span) -> int:
    """Compare where two ranges begin."""
    if left[0] is None or right[0] is None:
        return (right[0] is None) - (left[0] is None)
    if left[0] == right[0]:
        return (left[2][0] != "[") - (right[2][0] != "[")
    return -1 if left[0] < right[0] else 1


def _ends_after(left: Span, right: Span) -> bool:
    if left[1] is None or right[1] is None:
        return left[1] is None
    return bool(left[1] > right[1] or (left[1] == right[1] and left[2][1] == "]"))
