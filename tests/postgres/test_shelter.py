"""Sheltered work runs to its end, and a cancellation is raised behind it."""

import asyncio

import pytest

from gateways.postgres.shelter import Sheltered


async def work(steps: list[str], gate: asyncio.Event) -> str:
    await asyncio.sleep(0)
    steps.append("begun")
    await gate.wait()
    steps.append("ended")
    return "result"


async def sheltered(steps: list[str], gate: asyncio.Event) -> str:
    return await Sheltered(work(steps, gate), lambda _: steps.append("hastened"))


async def test_result_comes_out():
    gate = asyncio.Event()
    gate.set()
    assert await sheltered([], gate) == "result"


async def test_cancellation_is_raised_behind_the_work():
    steps: list[str] = []
    gate = asyncio.Event()
    task = asyncio.ensure_future(sheltered(steps, gate))
    for _ in range(3):
        await asyncio.sleep(0.001)
        task.cancel()
    await asyncio.sleep(0.001)
    assert steps == ["begun", "hastened"]
    gate.set()
    await asyncio.wait([task])
    assert (steps, task.cancelled()) == (["begun", "hastened", "ended"], True)


async def test_error_comes_out_unless_cancelled():
    async def failing(gate: asyncio.Event) -> None:
        await gate.wait()
        raise ValueError("wrong")

    gate = asyncio.Event()
    gate.set()
    with pytest.raises(ValueError, match="wrong"):
        await Sheltered(failing(gate))
    gate.clear()

    async def waiting() -> None:
        await Sheltered(failing(gate))

    task = asyncio.ensure_future(waiting())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    gate.set()
    await asyncio.wait([task])
    assert task.cancelled()


async def test_timeout_around_it_is_a_timeout_behind_it():
    steps: list[str] = []
    gate = asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, gate.set)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await sheltered(steps, gate)
    assert steps[-1] == "ended"
