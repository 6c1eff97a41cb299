"""The program: planets on SQLAlchemy, read twice, changed, and read again."""

import asyncio

from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.pool import StaticPool

from cache_drivers.memory import MemoryDriver
from examples.read_through.planet import PLANETS, Planet
from examples.read_through.with_sqlalchemy import Planets, Tables
from mapper import Cache


async def main() -> None:
    """Print what is read, and what the cache did."""
    engine = create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)
    async with engine.begin() as connection:
        await connection.run_sync(Tables.metadata.create_all)
    async with Cache(MemoryDriver(), namespace="sky") as cache:
        planets = Planets(async_sessionmaker(engine), cache)
        for each in PLANETS:
            await planets.put(each)
        print(await planets.get("Saturn"))
        print(await planets.get("Saturn"))
        await planets.put(Planet("Saturn", 60268.0, 274))
        print(await planets.get("Saturn"))
        print(f"{cache.stats().hits} hit, {cache.stats().misses} misses")
    await engine.dispose()


if __name__ == "__main__":
    asyncio.run(main())
