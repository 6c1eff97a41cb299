"""Windows: ranks, buckets, and frames of rows, groups and distances, the same on every gateway."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

import pytest

from mapper import (
    Column,
    CommonTable,
    QueryError,
    Unsupported,
    fn,
    groups_between,
    range_between,
    rows_between,
    select,
    values,
)
from mapper.functions import Frame
from tests.language.library import Library

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Points(CommonTable):
    id: Column[int]
    place: Column[int | None]
    weight: Column[float]
    price: Column[Decimal]
    day: Column[date]
    at: Column[datetime]
    clock: Column[time]


NOON: Final = datetime(2024, 3, 31, 0, 30, tzinfo=UTC)
PLACES: Final = [1, 1, 2, 4, 4, 7, None, None]
POINTS: Final = values(
    Points,
    [
        (
            index,
            place,
            (place or 0) / 2,
            Decimal(place or 0) / 10,
            date(2024, 2, 27) + timedelta(place or 0),
            NOON + timedelta(hours=place or 0),
            time(place or 0),
        )
        for index, place in enumerate(PLACES, 1)
    ],
)
ITEM: Final = Points.id
ANY: Any = fn


async def over(library: Library, function: Any, order: Any, frame: Frame | None = None) -> list[Any]:
    """What a function of the points gives over their whole, by their numbers."""
    window = fn.window(order_by=[order], frame=frame)
    return await select(function.over(window)).from_(POINTS).order_by(Points.id).all(library)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (fn.ntile(3), [1, 1, 1, 2, 2, 2, 3, 3]),
        (fn.ntile(20), [1, 2, 3, 4, 5, 6, 7, 8]),
        (fn.ntile(1), [1] * 8),
        (fn.percent_rank(), [place / 7 for place in range(8)]),
        (fn.cume_dist(), [place / 8 for place in range(1, 9)]),
        (fn.nth_value(Points.place, 2), [None, 1, 1, 1, 1, 1, 1, 1]),
        (fn.nth_value(Points.place, 9), [None] * 8),
    ],
    ids=repr,
)
async def test_function_of_the_place_in_an_order(library: Library, function: Any, expected: list[Any]):
    assert await over(library, function, Points.id) == expected


async def test_ranks_of_equal_rows_are_equal(library: Library):
    assert await over(library, fn.percent_rank(), Points.place) == [0, 0, 2 / 7, 3 / 7, 3 / 7, 5 / 7, 6 / 7, 6 / 7]
    assert await over(library, fn.cume_dist(), Points.place) == [2 / 8, 2 / 8, 3 / 8, 5 / 8, 5 / 8, 6 / 8, 1, 1]


async def test_row_that_is_alone_is_the_first_and_the_last(library: Library):
    alone = fn.window(partition_by=[Points.id])
    functions = (fn.percent_rank().over(alone), fn.cume_dist().over(alone), fn.ntile(4).over(alone))
    assert await select(*functions).from_(POINTS).first(library) == (0.0, 1.0, 1)


FRAMES: Final[list[tuple[Any, Frame, list[int]]]] = [
    (Points.id, rows_between(-1, 1), [2, 3, 3, 3, 3, 3, 3, 2]),
    (Points.id, rows_between(-3, -2), [0, 0, 1, 2, 2, 2, 2, 2]),
    (Points.id, rows_between(2, 3), [2, 2, 2, 2, 2, 1, 0, 0]),
    (Points.id, rows_between(-1, 1, exclude="current row"), [1, 2, 2, 2, 2, 2, 2, 1]),
    (Points.place, groups_between(-1, 0), [2, 2, 3, 3, 3, 3, 3, 3]),
    (Points.place, groups_between(1, 2), [3, 3, 3, 3, 3, 2, 0, 0]),
    (Points.place, groups_between(None, -2), [0, 0, 0, 2, 2, 3, 5, 5]),
    (Points.place, groups_between(0, None, exclude="group"), [6, 6, 5, 3, 3, 2, 0, 0]),
    (Points.place, range_between(-2, 0), [2, 2, 3, 3, 3, 1, 2, 2]),
    (Points.place, range_between(-2, 1, exclude="ties"), [2, 2, 3, 2, 2, 1, 1, 1]),
    (Points.place, range_between(-2, 1, exclude="current row"), [2, 2, 2, 2, 2, 0, 1, 1]),
    (Points.place, range_between(1, None), [6, 6, 5, 3, 3, 2, 2, 2]),
    (Points.place, range_between(None, -3), [0, 0, 0, 2, 2, 5, 8, 8]),
    (Points.place.desc(), range_between(None, -3), [5, 5, 3, 3, 3, 2, 2, 2]),
    (Points.place.desc(), range_between(-3, -1), [3, 3, 2, 1, 1, 0, 2, 2]),
    (Points.place.asc().nulls_first(), range_between(None, 0), [4, 4, 5, 7, 7, 8, 2, 2]),
    (Points.place, range_between(0, None), [8, 8, 6, 5, 5, 3, 2, 2]),
    (Points.weight, range_between(-1, 0.5), [5, 5, 5, 3, 3, 1, 4, 4]),
]
"""Orders, frames over them, and how many points each point's frame has."""


@pytest.mark.parametrize(("order", "frame", "expected"), FRAMES, ids=repr)
async def test_frame_has_the_rows_that_it_says(library: Library, order: Any, frame: Frame, expected: list[int]):
    assert await over(library, fn.count(ITEM), order, frame) == expected


async def test_frame_with_a_hole_begins_and_ends_around_it(library: Library):
    frame = rows_between(-1, 1, exclude="current row")
    assert await over(library, fn.first_value(ITEM), Points.id, frame) == [2, 1, 2, 3, 4, 5, 6, 7]
    assert await over(library, fn.last_value(ITEM), Points.id, frame) == [2, 3, 4, 5, 6, 7, 8, 7]
    assert await over(library, fn.nth_value(ITEM, 2), Points.id, frame) == [None, 3, 4, 5, 6, 7, 8, None]
    assert await over(library, fn.sum(ITEM), Points.id, frame) == [2, 4, 6, 8, 10, 12, 14, 7]


DISTANCES: Final[list[tuple[Any, Frame, list[int]]]] = [
    (Points.price, range_between(Decimal("-0.1"), 0), [4, 4, 3, 2, 2, 1, 2, 2]),
    (Points.price, range_between(0, 1), [6, 6, 4, 3, 3, 1, 8, 8]),
    (Points.day, range_between(timedelta(days=-1), timedelta()), [4, 4, 3, 2, 2, 1, 2, 2]),
    (Points.day, range_between(timedelta(hours=-36), timedelta(hours=23)), [4, 4, 3, 2, 2, 1, 2, 2]),
    (Points.at, range_between(timedelta(hours=-1), 0), [4, 4, 3, 2, 2, 1, 2, 2]),
    (Points.at.desc(), range_between(timedelta(hours=-1), 0), [3, 3, 1, 2, 2, 1, 4, 4]),
    (Points.at, range_between(timedelta(days=-1), timedelta(days=1)), [8] * 8),
    (Points.clock, range_between(timedelta(hours=-1), timedelta(0)), [4, 4, 3, 2, 2, 1, 2, 2]),
    (Points.clock, range_between(timedelta(days=-2), timedelta(minutes=-1)), [2, 2, 4, 5, 5, 7, 0, 0]),
]
"""As `FRAMES`, over what SQLite keeps as text."""


@pytest.mark.parametrize(("order", "frame", "expected"), DISTANCES, ids=repr)
async def test_distance_of_decimals_and_moments_is_measured_or_refused(
    library: Library, order: Any, frame: Frame, expected: list[int]
):
    if library._executor.gateway.name != "sqlite":
        assert await over(library, fn.count(ITEM), order, frame) == expected
        return
    with pytest.raises(Unsupported, match="a frame by distances of"):
        await over(library, fn.count(ITEM), order, frame)


async def test_range_of_equal_rows_needs_no_distance(library: Library):
    """Of texts too, and of several terms."""
    window = fn.window(order_by=[Points.day, Points.price], frame=range_between(None, 0))
    query = select(fn.count(ITEM).over(window)).from_(POINTS).order_by(Points.id)
    assert await query.all(library) == [4, 4, 5, 7, 7, 8, 2, 2]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: range_between(1, 0), "ends before it starts"),
        (lambda: range_between(timedelta(1), 0), "ends before it starts"),
        (lambda: range_between(timedelta(1), 2), "bounds of two kinds"),
        (lambda: range_between(float("nan"), 0), "no distance"),
        (lambda: range_between(float("-inf"), 0), "no distance"),
        (lambda: range_between(-(2**64), 0), "no distance"),
        (lambda: range_between(True, 2), "is bounded by True"),
        (lambda: ANY.rows_between(0.5, 2), "is bounded by 0.5"),
        (lambda: ANY.groups_between(timedelta(1), None), "is bounded by"),
        (lambda: ANY.rows_between(0, 1, exclude="peers"), "excludes 'peers'"),
        (lambda: fn.rank().over(frame=groups_between(0, 1)), "without an order"),
        (lambda: fn.rank().over(frame=range_between(0, 1)), "ordered by 0 terms"),
        (lambda: fn.rank().over(order_by=[Points.id, Points.place], frame=range_between(0, 1)), "ordered by 2 terms"),
        (lambda: fn.rank().over(order_by=[Points.day], frame=range_between(0, 1)), "a distance of 1 over Points.day"),
        (lambda: fn.rank().over(order_by=[Points.id], frame=range_between(0, 1.5)), "a distance of 1.5"),
        (lambda: fn.rank().over(order_by=[Points.id], frame=range_between(0, timedelta(1))), "which is of int"),
        (lambda: fn.ntile(0), "ntile of 0"),
        (lambda: ANY.ntile("2"), "ntile of '2'"),
        (lambda: fn.nth_value(Points.id, -1), "nth_value of -1"),
    ],
)
async def test_frame_or_function_that_cannot_be_is_refused(make: Any, message: str):
    with pytest.raises(QueryError, match=message):
        make()


async def test_frames_tell_queries_apart():
    frames = [
        rows_between(0, 1),
        groups_between(0, 1),
        range_between(0, 1),
        rows_between(0, 1, exclude="ties"),
        rows_between(None, 1),
        rows_between(0, 2),
    ]
    keys = {fn.sum(ITEM).over(order_by=[Points.id], frame=each).key for each in frames}
    assert len(keys) == len(frames)
    assert "GROUPS 0 TO 1 EXCLUDE TIES" in str(
        select(fn.sum(ITEM).over(order_by=[Points.id], frame=groups_between(0, 1, exclude="ties"))).from_(POINTS)
    )
