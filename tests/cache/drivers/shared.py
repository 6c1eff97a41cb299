"""A driver that plays a server: several may speak to one store, it takes turns of the loop, and tells of changes."""

from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import TypeAlias

from anyio.lowlevel import checkpoint
from attrs import evolve

from cache_drivers.memory import MemoryDriver
from mapper.cache.driver import DriverInfo

Told: TypeAlias = Callable[[Sequence[str] | None], None]


class Server(MemoryDriver):
    """
    The memory driver behind a network: each call suspends before and after it is done.

    Attributes:
        calls: What was asked, oldest first.
        held: Whether messages about changes wait until `deliver` is called.
        turns: Says for how many turns of the loop a call is on its way, there and back.
    """

    __slots__ = ("calls", "followers", "held", "messages", "turns", "up")

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock=clock)
        self.calls: list[str] = []
        self.followers: list[tuple[tuple[str, ...], Told]] = []
        self.held = False
        self.up = True
        self.turns: Callable[[], int] = lambda: 1
        self.messages: deque[Sequence[str]] = deque()

    @property
    def info(self) -> DriverInfo:
        return evolve(super().info, name="server", scope="shared", features=frozenset({"tags", "broadcast"}))

    @property
    def following(self) -> bool:
        return self.up and bool(self.followers)

    async def follow(self, prefixes: Sequence[str], told: Told) -> Callable[[], Awaitable[None]]:
        await checkpoint()
        follower = (tuple(prefixes), told)
        self.followers.append(follower)
        told(None)

        async def stop() -> None:
            self.followers.remove(follower)

        return stop

    def disconnect(self) -> None:
        """Lose the connection that changes are told on, and the messages on their way."""
        self.up = False
        self.messages.clear()
        for _, told in self.followers:
            told(None)

    def reconnect(self) -> None:
        for _, told in self.followers:
            told(None)
        self.up = True

    def deliver(self) -> None:
        """Deliver the messages that wait."""
        while self.messages:
            keys = self.messages.popleft()
            for prefixes, told in list(self.followers):
                told([key for key in keys if key.startswith(prefixes)])

    @asynccontextmanager
    async def _asked(self, name: str, changed: Iterable[str] = ()) -> AsyncGenerator[None]:
        self.calls.append(name)
        await self._travel()
        yield
        if self.up and changed:
            self.messages.append(list(changed))
        if not self.held:
            self.deliver()
        await self._travel()

    async def _travel(self) -> None:
        for _ in range(self.turns()):
            await checkpoint()

    async def get(self, key: str) -> bytes | None:
        async with self._asked("get"):
            return await super().get(key)

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        async with self._asked("get_many"):
            return await super().get_many(keys)

    async def set(self, key: str, value: bytes, *, ttl_ms: int) -> bool:
        async with self._asked("set", [key]):
            return await super().set(key, value, ttl_ms=ttl_ms)

    async def set_many(self, items: Sequence[tuple[str, bytes, int]]) -> int:
        async with self._asked("set_many", [key for key, _, _ in items]):
            return await super().set_many(items)

    async def add(self, key: str, value: bytes, *, ttl_ms: int) -> bytes | None:
        async with self._asked("add", [key]):
            return await super().add(key, value, ttl_ms=ttl_ms)

    async def delete(self, key: str) -> bool:
        async with self._asked("delete", [key]):
            return await super().delete(key)

    async def delete_many(self, keys: Sequence[str]) -> int:
        async with self._asked("delete_many", keys):
            return await super().delete_many(keys)

    async def clear(self, prefix: str) -> int:
        keys = [key for key in [*self._entries, *self._flux] if key.startswith(prefix)]
        async with self._asked("clear", keys):
            return await super().clear(prefix)

    async def tags_begin(self, tags: Sequence[str], token: bytes, *, flux_ms: int) -> None:
        async with self._asked("tags_begin", tags):
            await super().tags_begin(tags, token, flux_ms=flux_ms)

    async def tags_end(self, tags: Sequence[str], token: bytes, *, stamp_ttl_ms: int) -> None:
        async with self._asked("tags_end", tags):
            await super().tags_end(tags, token, stamp_ttl_ms=stamp_ttl_ms)
