"""
The driver of one process: the memory driver behind a network that does what it likes.

Each call waits for its turn, and may fail, take effect and fail, or take effect later.
"""

from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import evolve

from mapper.cache.driver import DriverInfo
from mapper.errors import CacheTimeout, CacheUnavailable
from tests.cache.interleaving.scheduling import EVERYTHING

if TYPE_CHECKING:
    from tests.cache.interleaving.worlds import ShopWorld

__all__ = ["Adversary", "at_once"]

T = TypeVar("T")


class Adversary:
    """The driver of one process: the memory driver behind a network that does what it likes."""

    def __init__(self, world: "ShopWorld", owner: str) -> None:
        self._world = world
        self._owner = owner
        # Another process's memory: whoever waits for it may have to give up.
        self.info: DriverInfo = evolve(world.driver.info, scope="shared")

    @property
    def connections_made(self) -> int:
        return self._world.generation

    async def _call(
        self, name: str, work: Callable[[], Coroutine[Any, Any, T]], touched: Sequence[tuple[str, str]]
    ) -> T:
        world = self._world
        choices = world_choices(world)
        # A read that has just had its turn need not wait for another one: what it may miss meanwhile, it may miss.
        rested = world.rested.pop(world.label(), True)
        choice = await world.point(self._owner, name, choices) if rested or len(choices) > 1 else ""
        if choice:
            world._spend("fault")
        if choice == "!fail":
            raise CacheUnavailable("the network is away")
        if choice == "!late":
            label = f"late {name} of {world.label()} {world.left['fault']}"
            world.late[label] = lambda: self._later(label, work, touched)
            raise CacheTimeout("the answer took too long")
        value = self._now(work, touched)
        if choice == "!lost":
            raise CacheUnavailable("the network went away")
        if world.scenario.fine:
            await world.point(self._owner, f"{name} answered")
        return value

    def _now(self, work: Callable[[], Coroutine[Any, Any, T]], touched: Sequence[tuple[str, str]]) -> T:
        for thing, way in touched:
            self._world.touch(thing, way)
        value = at_once(work())
        self._world.learn(tuple(value) if isinstance(value, list) else value)
        return value

    def _later(
        self, label: str, work: Callable[[], Coroutine[Any, Any, Any]], touched: Sequence[tuple[str, str]]
    ) -> None:
        del self._world.late[label]
        self._world.touch(label, "write")
        self._now(work, touched)

    async def get(self, key: str) -> bytes | None:
        return await self._call("get", lambda: self._world.driver.get(key), [(key, "read")])

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        world = self._world
        values = await self._call("get_many", lambda: world.driver.get_many(keys), [(each, "read") for each in keys])
        entries = [each for each in keys if ":e:" in each]
        identity = world.caches[self._owner]._keeper._identity or b""
        world.looked_up[world.label()] = (identity, entries, values)
        return values

    async def set(self, key: str, value: bytes, *, ttl_ms: int) -> bool:
        return await self._call("set", lambda: self._world.driver.set(key, value, ttl_ms=ttl_ms), [(key, "write")])

    async def set_many(self, items: Sequence[tuple[str, bytes, int]]) -> int:
        touched = [(each[0], "write") for each in items]
        return await self._call("set_many", lambda: self._world.driver.set_many(items), touched)

    async def add(self, key: str, value: bytes, *, ttl_ms: int) -> bytes | None:
        return await self._call("add", lambda: self._world.driver.add(key, value, ttl_ms=ttl_ms), [(key, "write")])

    async def delete(self, key: str) -> bool:
        return await self._call("delete", lambda: self._world.driver.delete(key), [(key, "write")])

    async def delete_many(self, keys: Sequence[str]) -> int:
        touched = [(each, "write") for each in keys]
        return await self._call("delete_many", lambda: self._world.driver.delete_many(keys), touched)

    async def clear(self, prefix: str) -> int:
        return await self._call("clear", lambda: self._world.driver.clear(prefix), [(EVERYTHING, "write")])

    async def tags_begin(self, tags: Sequence[str], token: bytes, *, flux_ms: int) -> None:
        driver = self._world.driver
        touched = [(each, "write") for each in tags]
        try:
            await self._call("tags_begin", lambda: driver.tags_begin(tags, token, flux_ms=flux_ms), touched)
        except BaseException:
            # Without a mark, nobody but the process itself knows of its commit.
            self._world.unprotected.add(self._owner)
            raise

    async def tags_end(self, tags: Sequence[str], token: bytes, *, stamp_ttl_ms: int) -> None:
        driver = self._world.driver
        touched = [(each, "write") for each in tags]
        await self._call("tags_end", lambda: driver.tags_end(tags, token, stamp_ttl_ms=stamp_ttl_ms), touched)

    async def identity(self) -> str:
        world = self._world
        if world.generation == 0:
            return "server 0"
        await world.point(self._owner, "identity")
        return f"server {world.generation}"

    async def ping(self) -> None: ...

    async def aclose(self) -> None: ...


def world_choices(world: "ShopWorld") -> Sequence[str]:
    """Return how a call of the driver can go now."""
    if world.turns is None or not world.left["fault"]:
        return ("",)
    return ("", *[f"!{each}" for each in world.scenario.choices])


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """Run what never waits."""
    try:
        work.send(None)
    except StopIteration as stop:
        value: T = stop.value
        return value
    raise AssertionError("the memory driver waited")
