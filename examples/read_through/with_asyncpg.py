"""
Planets in PostgreSQL, by statements of one's own on asyncpg, read through a cache.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import asyncpg

from examples.read_through.planet import Planet
from mapper import Cache, ReadThrough

__all__ = ["TABLE", "Planets"]

TABLE: Final = "CREATE TABLE planet (name text PRIMARY KEY, radius float8 NOT NULL, moons int NOT NULL)"


class Planets:
    """
    Args:
        pool: Connections to the database.
        cache: What it is read through.
    """

    def __init__(self, pool: "asyncpg.Pool", cache: Cache) -> None:
        self._pool = pool
        self._cached = ReadThrough(cache, prefix="planet", fetch=self._load, fetch_many=self._load_many)

    async def get(self, name: str) -> Planet | None:
        """Return a planet; None where there is none."""
        return await self._cached.get(name)

    async def get_many(self, names: Iterable[str]) -> list[Planet | None]:
        """Return planets in the order of their names; what the cache lacks is read by one statement."""
        return await self._cached.get_many(names)

    async def put(self, planet: Planet) -> None:
        """Store a planet, whether it is there already or not."""
        async with self._cached.changing(planet.name):
            await self._pool.execute(
                "INSERT INTO planet VALUES ($1, $2, $3) "
                "ON CONFLICT (name) DO UPDATE SET radius = excluded.radius, moons = excluded.moons",
                planet.name,
                planet.radius,
                planet.moons,
            )

    async def remove(self, name: str) -> None:
        """Remove a planet, if it is there."""
        async with self._cached.changing(name):
            await self._pool.execute("DELETE FROM planet WHERE name = $1", name)

    async def discover(self, moons: dict[str, int]) -> None:
        """Add moons to several planets, in one transaction."""
        async with self._cached.changing(*moons), self._pool.acquire() as connection, connection.transaction():
            await connection.executemany("UPDATE planet SET moons = moons + $2 WHERE name = $1", sorted(moons.items()))

    async def _load(self, name: str) -> Planet | None:
        row = await self._pool.fetchrow("SELECT name, radius, moons FROM planet WHERE name = $1", name)
        return None if row is None else Planet(*row)

    async def _load_many(self, names: Sequence[str]) -> dict[str, Planet]:
        rows = await self._pool.fetch("SELECT name, radius, moons FROM planet WHERE name = ANY($1)", names)
        return {row["name"]: Planet(*row) for row in rows}
