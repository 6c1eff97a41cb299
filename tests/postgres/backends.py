"""What the server says of the connections of the gateway under test."""

import asyncio
from typing import Final

import asyncpg
import pytest

__all__ = ["NAME", "backends", "busy", "settled", "terminate"]

NAME: Final = "under test"
"""The `application_name` of the gateway under test."""


async def backends(url: str) -> list[tuple[str, bool]]:
    """Return what the server's other connections of the gateway do: their states, and whether a transaction is open."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            "SELECT state, xact_start IS NOT NULL FROM pg_stat_activity WHERE application_name = $1", NAME
        )
        return [(str(row[0]), bool(row[1])) for row in rows]
    finally:
        await connection.close()


async def settled(url: str, expected: int) -> list[tuple[str, bool]]:
    """Wait until the server has no more connections than expected, and none is busy."""
    found = await backends(url)
    for _ in range(200):
        found = await backends(url)
        if len(found) <= expected and not any(busy for _, busy in found):
            return found
        await asyncio.sleep(0.02)
    pytest.fail(f"the server has {found}, expected at most {expected} idle connections")


async def busy(url: str, expected: int) -> None:
    """Wait until so many connections of the gateway are in a transaction."""
    for _ in range(500):
        if len([each for each in await backends(url) if each[1]]) >= expected:
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"no {expected} connections became busy")


async def terminate(url: str, waiting_for: str = "%") -> None:
    """
    Have the server end the gateway's connections: all, or those that wait for something (`Lock`, `Client`). They are
    gone then.
    """
    connection = await asyncpg.connect(url)
    await connection.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE application_name = $1 AND coalesce(wait_event_type, '') LIKE $2",
        NAME,
        waiting_for,
    )
    await connection.close()
