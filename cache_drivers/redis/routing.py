"""
Which server a key is on: the one there is, or one of a cluster.

Commands with the key that decides go in; their replies come out in the same order, wherever they came from.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from attrs import frozen

from cache_drivers.redis.pool import Pool
from cache_drivers.redis.wire import Reply

__all__ = ["Command", "Route", "Single", "grouped"]


@frozen
class Command:
    """
    A packed command.

    Attributes:
        slot: The slot of the keys that it names; 0 where there is one server.
    """

    slot: int
    data: bytes


class Route(Protocol):
    """The way to the servers."""

    def slot(self, key: str) -> int:
        """Return the slot of a key: a command may name several keys of one slot."""
        ...

    async def run(self, commands: Sequence[Command]) -> list[Reply]:
        """Send commands, to all servers at once, and return their replies in their order."""
        ...

    async def primaries(self) -> list[Pool]:
        """Return the servers that have keys, as they are now."""
        ...

    async def identity(self) -> str:
        """Return what names the present state of all servers that have keys."""
        ...

    async def aclose(self) -> None:
        """Close all connections."""
        ...


class Single:
    """The way to one server."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    def slot(self, key: str) -> int:
        """Return 0: all keys are on it."""
        del key
        return 0

    async def run(self, commands: Sequence[Command]) -> list[Reply]:
        """Send commands and return their replies in their order."""
        return await self.pool.run(b"".join([command.data for command in commands]), len(commands))

    async def primaries(self) -> list[Pool]:
        """Return it."""
        return [self.pool]

    async def identity(self) -> str:
        """Return its run and its history."""
        return (await self.pool.state()).identity

    async def aclose(self) -> None:
        """Close its connections."""
        await self.pool.aclose()


def grouped(keys: Sequence[str], slot: Callable[[str], int]) -> dict[int, list[int]]:
    """Return the positions of keys by their slot."""
    groups: dict[int, list[int]] = {}
    for position, key in enumerate(keys):
        groups.setdefault(slot(key), []).append(position)
    return groups
