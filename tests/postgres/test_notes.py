"""The box that notes wait in, and the pauses between attempts to connect: without a server."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateways.postgres.hearing import Pauses
from gateways.postgres.notes import Box, Missed, Note

CHANNELS: tuple[str, ...] = ("a", "b", "c")
STEPS = st.lists(st.one_of(st.sampled_from(CHANNELS), st.just("miss"), st.just("take")), max_size=60)


async def played(steps: Sequence[str], limit: int) -> tuple[list[Note | Missed], dict[str, int]]:
    """Put, miss and take; return everything that was taken, and how many notes were put to each channel."""
    box, found, put = Box(CHANNELS, limit), list[Note | Missed](), dict.fromkeys(CHANNELS, 0)
    for step in steps:
        if step == "miss":
            box.miss()
        elif step == "take":
            found.extend(box.take_more(1))
        else:
            box.put(Note(step, str(put[step]), 1))
            put[step] += 1
        assert len(box._items) <= limit + len(CHANNELS)
    box.finish()
    while (item := await box.take()) is not None:
        found.append(item)
    return found, put


@given(STEPS, st.integers(1, 5))
def test_every_note_comes_or_is_counted_as_missing_in_its_place(steps: list[str], limit: int):
    found, put = asyncio.run(played(steps, limit))
    for channel in CHANNELS:
        position, unknown = 0, False
        for each in [each for each in found if each.channel == channel]:
            if isinstance(each, Missed):
                unknown = unknown or each.count is None
                position += each.count or 0
            else:
                assert int(each.payload) == position or (unknown and int(each.payload) > position)
                position, unknown = int(each.payload) + 1, False
        assert position == put[channel] or (unknown and position <= put[channel])


@given(STEPS, st.integers(1, 5))
def test_gaps_of_a_channel_are_one_until_a_note_comes(steps: list[str], limit: int):
    found, _ = asyncio.run(played([each for each in steps if each != "take"], limit))
    for channel in CHANNELS:
        gaps = 0
        for each in found:
            gaps = 0 if isinstance(each, Note) else gaps + (each.channel == channel)
            assert gaps <= 1


async def test_finished_box_gives_what_is_in_it_and_then_the_error_once():
    box = Box(("a",), 5)
    box.put(Note("a", "x", 1))
    box.finish(ValueError("over"))
    box.put(Note("a", "too late", 1))
    assert (await box.take()) == Note("a", "x", 1)
    with pytest.raises(ValueError, match="over"):
        await box.take()
    assert await box.take() is None


async def test_cleared_box_gives_nothing_and_wakes_who_waits():
    box = Box(("a",), 5)
    waiting = asyncio.create_task(box.take())
    await asyncio.sleep(0)
    box.clear()
    assert await waiting is None


@given(st.integers(1, 10_000))
def test_pause_is_bounded_and_at_random(attempt: int):
    pauses = Pauses(first=0.1, longest=5.0)
    found = [pauses.before(attempt) for _ in range(10)]
    full = min(0.1 * 2 ** min(attempt - 1, 30), 5.0)
    assert all(full / 2 <= each <= full for each in found)
    assert len(set(found)) > 1
