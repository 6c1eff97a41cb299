"""
Planets that a service has, read through a cache: by HTTP, with httpx.

What others write to the service past this class shows when the time to live has passed; what is written by it, at once.
"""

from collections.abc import Iterable, Sequence
from urllib.parse import quote

import httpx
import msgspec

from examples.read_through.planet import Planet
from mapper import Cache, CachePolicy, ReadThrough

__all__ = ["Overloaded", "Planets"]

POLICY = CachePolicy(ttl=30, stale_if_error=300)
"""For five minutes the service may be away: what is known is served then, unless it was changed by this class."""

ABSENT, OVERLOADED = 404, 503


class Overloaded(Exception):
    """The service is there, and has no answer now."""


class Planets:
    """
    Args:
        client: With the address of the service.
        cache: What it is read through.
    """

    def __init__(self, client: httpx.AsyncClient, cache: Cache) -> None:
        self._client = client
        self._cached = ReadThrough(
            cache,
            prefix="planet",
            fetch=self._load,
            fetch_many=self._load_many,
            policy=POLICY,
            retries=1,
            outages=(httpx.TransportError, Overloaded),
        )

    async def get(self, name: str) -> Planet | None:
        """Return a planet; None where there is none."""
        return await self._cached.get(name)

    async def get_many(self, names: Iterable[str]) -> list[Planet | None]:
        """Return planets in the order of their names; what the cache lacks is asked for at once."""
        return await self._cached.get_many(names)

    async def put(self, planet: Planet) -> None:
        """Store a planet, whether it is there already or not."""
        async with self._cached.changing(planet.name):
            body = msgspec.json.encode(planet)
            answer = await self._client.put(
                _path(planet.name), content=body, headers={"Content-Type": "application/json"}
            )
            answer.raise_for_status()

    async def remove(self, name: str) -> None:
        """Remove a planet, if it is there."""
        async with self._cached.changing(name):
            answer = await self._client.delete(_path(name))
            answer.raise_for_status()

    async def changed(self, *names: str) -> None:
        """Have planets read anew that somebody else has changed: for a hook that the service calls."""
        await self._cached.invalidate(*names)

    async def _load(self, name: str) -> Planet | None:
        answer = await self._asked(_path(name))
        return None if answer is None else msgspec.json.decode(answer, type=Planet)

    async def _load_many(self, names: Sequence[str]) -> dict[str, Planet]:
        answer = await self._asked("/planets", *names)
        return {each.name: each for each in msgspec.json.decode(answer or b"[]", type=list[Planet])}

    async def _asked(self, path: str, *names: str) -> bytes | None:
        """Return what the service says; None where there is nothing."""
        answer = await self._client.get(path, params=[("name", each) for each in names])
        if answer.status_code == ABSENT:
            return None
        if answer.status_code == OVERLOADED:
            raise Overloaded(path)
        return answer.raise_for_status().content


def _path(name: str) -> str:
    return f"/planets/{quote(name, safe='')}"
