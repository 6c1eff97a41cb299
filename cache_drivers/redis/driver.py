"""
The driver of the cache for Redis and Valkey: one server, a cluster, or whichever server a Sentinel names.

A URL or a client of redis-py goes in; bytes go in and out under keys. See `mapper.cache.driver` for what each method
promises.
"""

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final

from cache_drivers.redis.cluster import Cluster
from cache_drivers.redis.connecting import Connecting, connectings
from cache_drivers.redis.following import Following, Told
from cache_drivers.redis.pool import Pool
from cache_drivers.redis.replies import accepted, count_of, error_of, first_refusal, value_of, values_of
from cache_drivers.redis.routing import Command, Route, Single, grouped
from cache_drivers.redis.scripts import ADD, BEGIN, END, Script
from cache_drivers.redis.wire import Argument, Refusal, Reply, packed, packed_keys
from mapper.cache.driver import DriverInfo, require_good, ttl_kept
from mapper.errors import CacheConfigError, CacheProtocolError, CacheValueTooLarge

if TYPE_CHECKING:
    import redis.asyncio

__all__ = ["RedisDriver"]

MOST_BYTES: Final = 512 * 1024 * 1024
"""What a server takes, unless it is configured otherwise."""

INFO: Final = DriverInfo(
    name="redis",
    scope="shared",
    max_key_bytes=1024,
    max_value_bytes=MOST_BYTES,
    max_ttl_ms=100 * 365 * 24 * 3600 * 1000,
    features=frozenset({"tags", "broadcast"}),
)

STAMP_BYTES: Final = 12
BATCH: Final = 1000
"""Keys that `clear` asks for at a time."""

PING: Final = packed("PING")
PATTERN: Final = re.compile(r"[*?\[\]\\^-]")
"""What is special in a pattern of Redis."""


class RedisDriver:
    """
    Keeps values in Redis, version 5 or later, or Valkey.

    Values are strings of the server; tags are too. A server that evicts keys may do so: `maxmemory-policy` is best one
    of `allkeys-…`. Nothing connects before the first call. Used in another event loop than before, it connects anew.

    Args:
        source: A URL (`redis://`, `rediss://` for TLS, `unix://`), of a server or of any server of a cluster; or a
            client of `redis.asyncio` (`Redis`, that of a Sentinel's master too, or `RedisCluster`), whose settings are
            taken. Connections are the driver's own, and the client is neither used nor closed.
        connect_timeout: Seconds until a connection that is not there fails.
        command_timeout: Seconds until a command without an answer fails, and until there is a free connection.
        max_connections: How many there may be to each server; further callers wait.

    Raises:
        CacheConfigError: The source is neither, a number is not positive, or redis-py is not installed.
    """

    def __init__(
        self,
        source: "str | redis.asyncio.Redis | redis.asyncio.RedisCluster",
        *,
        connect_timeout: float = 2.0,
        command_timeout: float = 1.0,
        max_connections: int = 16,
    ) -> None:
        for name, given in (("connect_timeout", connect_timeout), ("command_timeout", command_timeout)):
            if not 0 < given < float("inf"):
                raise CacheConfigError(f"{name} is {given!r}, expected seconds more than 0")
        if max_connections < 1:
            raise CacheConfigError(f"max_connections is {max_connections!r}, expected at least 1")
        self._servers, self._is_cluster = connectings(source, connect_timeout, command_timeout)
        self._moved = getattr(getattr(source, "nodes_manager", None), "address_remap", None)
        self._limit = max_connections
        self._made = 0
        self._adds_by_script = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._route: Route | None = None
        self._first: Pool | None = None
        self._following: list[Following] = []

    def __repr__(self) -> str:
        return f"RedisDriver({', '.join(each.place for each in self._servers)})"

    @property
    def info(self) -> DriverInfo:
        """Facts about the driver."""
        return INFO

    @property
    def connections_made(self) -> int:
        """
        How many connections were opened since the driver was made. Where it has grown, the server may be another or
        have forgotten something: compare `identity`.
        """
        return self._made

    @property
    def following(self) -> bool:
        """Whether changes are being told right now, to everyone who follows; false where nobody does."""
        return bool(self._following) and all(each.current for each in self._following)

    # Values

    async def get(self, key: str) -> bytes | None:
        """Return what is kept under a key; None where there is nothing."""
        return (await self.get_many((key,)))[0]

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """
        Return what is kept under keys, in their order. One MGET; in a cluster one for each slot, all at once, and what
        is on one server was there at one moment.
        """
        if not keys:
            return []
        require_good(keys, INFO)
        route = await self._routed()
        if isinstance(route, Single):
            (reply,) = await route.pool.run(packed_keys("MGET", keys))
            return values_of(reply, len(keys))
        groups = grouped(keys, route.slot)
        commands = [Command(slot, packed_keys("MGET", [keys[at] for at in group])) for slot, group in groups.items()]
        found: list[bytes | None] = [None] * len(keys)
        for group, reply in zip(groups.values(), await route.run(commands), strict=True):
            for at, value in zip(group, values_of(reply, len(group)), strict=True):
                found[at] = value
        return found

    async def get_many_within(self, keys: Sequence[str], seconds: float) -> list[bytes | None] | None:
        """
        Return what `get_many` does, or None where that is to be called: in a cluster, and where no connection is free.

        Caches ask by it first: a subclass with a `get_many` of its own needs one of this, too.

        Raises:
            TimeoutError: There is no answer after so many seconds.
        """
        route = self._route
        if not keys or not isinstance(route, Single) or self._loop is not asyncio.get_running_loop():
            return None
        require_good(keys, INFO)
        replies = await route.pool.run_within(packed_keys("MGET", keys), 1, seconds)
        return None if replies is None else values_of(replies[0], len(keys))

    async def set(self, key: str, value: bytes, *, ttl_ms: int) -> bool:
        """Keep a value; False where it is too large, or the server has no memory left for it."""
        return await self.set_many(((key, value, ttl_ms),)) == 1

    async def set_many(self, items: Sequence[tuple[str, bytes, int]]) -> int:
        """
        Keep values, each with its time to live in milliseconds; return how many were kept: all that are not
        too large, and for which the server had memory.
        """
        if not items:
            return 0
        require_good([key for key, _, _ in items], INFO)
        fitting = [(key, value, ttl_kept(ttl_ms, INFO)) for key, value, ttl_ms in items if _fits(value)]
        if not fitting:
            return 0
        route = await self._routed()
        commands = [Command(route.slot(key), packed("SET", key, value, "PX", ms)) for key, value, ms in fitting]
        kept = 0
        for reply in await route.run(commands):
            if reply == b"OK":
                kept += 1
            elif not isinstance(reply, Refusal):
                raise CacheProtocolError("the redis server did not answer SET with OK")
            elif reply.code != "OOM":
                raise error_of(reply, "SET")
        return kept

    async def add(self, key: str, value: bytes, *, ttl_ms: int) -> bytes | None:
        """
        Keep a value where there is none; return None, or what is there. What is no value, such as a list, gives way.

        Raises:
            CacheUnavailable: There is none, and no memory for it either.
            CacheValueTooLarge: No server takes it.
        """
        require_good((key,), INFO)
        milliseconds = ttl_kept(ttl_ms, INFO)
        if not _fits(value):
            raise CacheValueTooLarge(f"value of {len(value)} bytes cannot be kept, expected at most {MOST_BYTES} bytes")
        route = await self._routed()
        slot = route.slot(key)
        if not self._adds_by_script:
            command = packed("SET", key, value, "NX", "GET", "PX", milliseconds)
            (reply,) = await route.run([Command(slot, command)])
            if not isinstance(reply, Refusal):
                return value_of(reply)
            # A server before 7.0 has no NX with GET.
            self._adds_by_script = reply.code == "ERR" and "syntax" in reply.text
            if reply.code == "OOM" and (there := await self.get(key)) is not None:
                return there
            if not self._adds_by_script and reply.code != "WRONGTYPE":
                raise error_of(reply, "SET")
        (reply,) = await self._scripted(ADD, {slot: (key,)}, {slot: (value, milliseconds)})
        return value_of(reply)

    async def delete(self, key: str) -> bool:
        """Remove a key; whether it was there."""
        return await self.delete_many((key,)) == 1

    async def delete_many(self, keys: Sequence[str]) -> int:
        """Remove keys; return how many were there."""
        if not keys:
            return 0
        require_good(keys, INFO)
        route = await self._routed()
        groups = grouped(keys, route.slot)
        commands = [Command(slot, packed("UNLINK", *(keys[at] for at in group))) for slot, group in groups.items()]
        return sum(count_of(reply, "UNLINK") for reply in await route.run(commands))

    async def clear(self, prefix: str) -> int:
        """Remove every key that begins with a prefix; return how many were there. Scans all keys, in batches."""
        if not prefix.isascii():
            return 0
        route = await self._routed()
        pattern = PATTERN.sub(r"\\\g<0>", prefix) + "*"
        return sum([await _cleared(pool, pattern) for pool in await route.primaries()])

    # Tags

    async def tags_begin(self, tags: Sequence[str], token: bytes, *, flux_ms: int) -> None:
        """Put a writer's token into each tag, for at most so many milliseconds of the server's clock."""
        if not tags:
            return
        require_good(tags, INFO)
        milliseconds = ttl_kept(flux_ms, INFO)
        groups = await self._grouped(tags)
        await self._scripted(BEGIN, groups, {slot: (token, milliseconds) for slot in groups})

    async def tags_end(self, tags: Sequence[str], token: bytes, *, stamp_ttl_ms: int) -> None:
        """Take a writer's token out of each tag; where none is left, give the tag a fresh random stamp."""
        if not tags:
            return
        require_good(tags, INFO)
        milliseconds = ttl_kept(stamp_ttl_ms, INFO)
        groups = await self._grouped(tags)
        arguments: dict[int, tuple[Argument, ...]] = {
            slot: (token, milliseconds, *_stamps(len(keys))) for slot, keys in groups.items()
        }
        await self._scripted(END, groups, arguments)

    # The server

    async def identity(self) -> str:
        """Return what names the run and the history of the server, or of all primaries of a cluster and its epoch."""
        return await (await self._routed()).identity()

    async def ping(self) -> None:
        """Return if the server answers, of a cluster every primary."""
        route = await self._routed()
        for pool in await route.primaries():
            accepted((await pool.run(PING))[0], "PING")

    async def aclose(self) -> None:
        """Close connections, those in use when their calls are done, and tell nobody of changes any more."""
        following, self._following = self._following, []
        route, first, loop = self._route, self._first, self._loop
        self._route = self._first = self._loop = None
        if loop is not asyncio.get_running_loop():
            return
        for each in following:
            await each.stop()
        if route is not None:
            await route.aclose()
        if first is not None:
            await first.aclose()

    async def follow(self, prefixes: Sequence[str], told: Told) -> Callable[[], Awaitable[None]]:
        """
        Have changes told until the function that is returned, or `aclose`, is called.

        Needs version 6 of the server. One that falls silent is found out within a second more than `command_timeout`.
        """
        self._in_this_loop()
        following = Following(self._routed, prefixes, told, self._opened)
        self._following.append(following)

        async def stop() -> None:
            if following in self._following:
                self._following.remove(following)
            await following.stop()

        try:
            await following.tried()
        except BaseException:
            await stop()
            raise
        return stop

    # Ways

    async def _routed(self) -> Route:
        route = self._route
        if route is not None and self._loop is asyncio.get_running_loop():
            return route
        self._in_this_loop()
        if self._is_cluster:
            self._route = self._cluster()
            return self._route
        if self._first is None:
            self._first = self._pool(self._servers[0])
        first = self._first
        mode = await first.mode()
        if self._first is not first:
            # It was closed meanwhile, or somebody was faster.
            return await self._routed()
        if mode == "cluster":
            self._route, self._first = self._cluster(), None
            await first.aclose()
            return self._route
        self._route = Single(first)
        return self._route

    def _in_this_loop(self) -> None:
        """Forget what belongs to another event loop: that one, and its connections, are gone."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._route, self._first, self._following = loop, None, None, []

    def _cluster(self) -> Cluster:
        return Cluster(self._servers, self._limit, self._opened, self._moved)

    def _pool(self, server: Connecting) -> Pool:
        return Pool(server, self._limit, self._opened)

    def _opened(self) -> None:
        self._made += 1

    async def _grouped(self, keys: Sequence[str]) -> dict[int, tuple[str, ...]]:
        keys = tuple(dict.fromkeys(keys))
        groups = grouped(keys, (await self._routed()).slot)
        return {slot: tuple(keys[at] for at in group) for slot, group in groups.items()}

    async def _scripted(
        self, script: Script, keys: dict[int, tuple[str, ...]], arguments: dict[int, tuple[Argument, ...]]
    ) -> list[Reply]:
        """Run a script once for each slot; by its source where the server does not know it yet."""
        route = await self._routed()
        replies = await route.run([Command(slot, script.by_digest(keys[slot], *arguments[slot])) for slot in keys])
        unknown = [at for at, reply in enumerate(replies) if isinstance(reply, Refusal) and reply.code == "NOSCRIPT"]
        if unknown:
            slots = list(keys)
            commands = [Command(slots[at], script.by_source(keys[slots[at]], *arguments[slots[at]])) for at in unknown]
            for at, reply in zip(unknown, await route.run(commands), strict=True):
                replies[at] = reply
        if (refusal := first_refusal(replies)) is not None:
            raise error_of(refusal, "a script")
        return replies


async def _cleared(pool: Pool, pattern: str) -> int:
    """Remove the keys of one server that a pattern matches."""
    removed, cursor = 0, b"0"
    while True:
        (reply,) = await pool.run(packed("SCAN", cursor, "MATCH", pattern, "COUNT", BATCH))
        match accepted(reply, "SCAN"):
            case [bytes() as cursor, list() as keys]:
                pass
            case _:
                raise CacheProtocolError("the redis server did not answer SCAN with a cursor and keys")
        if keys:
            # One by one: in a cluster they are of different slots.
            replies = await pool.run(b"".join([packed("UNLINK", key) for key in keys]), len(keys))
            # What has moved to another server meanwhile is not counted, nor removed.
            removed += sum(reply for reply in replies if isinstance(reply, int))
        if cursor == b"0":
            return removed


def _fits(value: bytes) -> bool:
    return len(value) <= MOST_BYTES


def _stamps(count: int) -> list[bytes]:
    """Return random stamps; the script puts what marks them before each."""
    return [secrets.token_bytes(STAMP_BYTES) for _ in range(count)]
