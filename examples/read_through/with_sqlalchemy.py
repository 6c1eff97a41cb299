"""
Planets that SQLAlchemy stores, read through a cache.

Objects of a session are not kept: they belong to it. What goes into the cache, and comes out, is a plain value.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from examples.read_through.planet import Planet
from mapper import Cache, ReadThrough

__all__ = ["PlanetRow", "Planets", "Tables"]


class Tables(DeclarativeBase): ...


class PlanetRow(Tables):
    __tablename__ = "planet"

    name: Mapped[str] = mapped_column(primary_key=True)
    radius: Mapped[float]
    moons: Mapped[int]

    def value(self) -> Planet:
        return Planet(self.name, self.radius, self.moons)


class Planets:
    """
    Args:
        sessions: Make sessions of the database.
        cache: What they are read through.
    """

    def __init__(self, sessions: async_sessionmaker[AsyncSession], cache: Cache) -> None:
        self._sessions = sessions
        self._cached = ReadThrough(cache, prefix="planet", fetch=self._load, fetch_many=self._load_many)

    async def get(self, name: str) -> Planet | None:
        """Return a planet; None where there is none."""
        return await self._cached.get(name)

    async def get_many(self, names: Iterable[str]) -> list[Planet | None]:
        """Return planets in the order of their names; what the cache lacks is read by one statement."""
        return await self._cached.get_many(names)

    async def put(self, planet: Planet) -> None:
        """Store a planet, whether it is there already or not."""
        # The block is around the transaction, not within: it must end after the commit.
        async with self._cached.changing(planet.name), self._sessions.begin() as session:
            await session.merge(PlanetRow(name=planet.name, radius=planet.radius, moons=planet.moons))

    async def remove(self, name: str) -> None:
        """Remove a planet, if it is there."""
        async with self._cached.changing(name), self._sessions.begin() as session:
            row = await session.get(PlanetRow, name)
            if row is not None:
                await session.delete(row)

    async def _load(self, name: str) -> Planet | None:
        # A session of its own: one that a request has open may see the database as it was.
        async with self._sessions() as session:
            row = await session.get(PlanetRow, name)
            return None if row is None else row.value()

    async def _load_many(self, names: Sequence[str]) -> dict[str, Planet]:
        async with self._sessions() as session:
            rows = await session.scalars(select(PlanetRow).where(PlanetRow.name.in_(names)))
            return {row.name: row.value() for row in rows}
