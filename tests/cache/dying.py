"""
A process that dies right behind a COMMIT: before the cache is told of it.

The URLs of a store and of a Redis, and a way to write, come as arguments.
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from typing import Final

import gateways
from cache_drivers.redis import RedisDriver
from mapper.cache import Cache
from mapper.operations import RawSql
from tests.cache.shop import Shop, Users

DIED: Final = 17
"""The exit code of a process that died as it should."""


class Dying(RedisDriver):
    """A driver whose process ends when it would change tags."""

    async def set_many(self, items: Sequence[tuple[str, bytes, int]]) -> int:
        if any(":t:" in key for key, _, _ in items):
            os._exit(DIED)
        return await super().set_many(items)

    async def tags_end(self, tags: Sequence[str], token: bytes, *, stamp_ttl_ms: int) -> None:
        os._exit(DIED)


async def write(store: str, redis: str, way: str) -> None:
    """Write once, in one of several ways."""
    async with gateways.open(store) as gateway:
        cache = Cache(Dying(redis), namespace="dying", invalidation="outbox")
        shop = Shop(cache.wrap(gateway))
        changes = Shop.change()
        changes.update(Users, 1, Users.score.to(7))
        statement = RawSql("UPDATE cache_users SET score = 7 WHERE id = 1")
        match way:
            case "commit":
                await changes.commit(shop)
            case "transaction":
                async with shop.transaction() as transaction:
                    await changes.commit(transaction)
            case "connection":
                async with shop._executor.gateway.connection() as connection:
                    await connection.execute(statement)
            case "fetch":
                returning = RawSql("UPDATE cache_users SET score = 7 WHERE id = 1 RETURNING id")
                async with shop._executor.gateway.connection() as connection:
                    await connection.fetch(returning, lambda rows, names: list(rows))
            case _:
                raise ValueError(f"{way!r} is no way to write")


if __name__ == "__main__":
    asyncio.run(write(*sys.argv[1:]))
