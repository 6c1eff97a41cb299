"""A driver that fails, waits or answers wrongly when it is told to, and clocks that are moved by hand."""

from collections.abc import Callable, Sequence
from typing import Any

import anyio
from attrs import evolve

from cache_drivers.memory import MemoryDriver
from mapper.errors import CacheUnavailable


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self, at: float = 1_700_000_000.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


class FaultyDriver:
    """
    A memory driver as one that is shared, which can be cut off.

    Attributes:
        down: What its methods raise, by name or "*".
        held: An event that its methods wait for, by name or "*".
        calls: Names of the methods that were called.
    """

    def __init__(self, clock: Callable[[], float] | None = None, *, scope: Any = "shared", tags: bool = True) -> None:
        self.inner = MemoryDriver() if clock is None else MemoryDriver(clock=clock)
        self.down: dict[str, Exception] = {}
        self.held: dict[str, anyio.Event] = {}
        self.calls: list[str] = []
        self.name = "one"
        self.connections_made = 1
        features = self.inner.info.features if tags else frozenset()
        self.info = evolve(self.inner.info, name="faulty", scope=scope, features=features)

    def cut(self, *methods: str, error: Exception | None = None) -> None:
        """Have methods fail from now on; all of them without names."""
        for each in methods or ("*",):
            self.down[each] = error or CacheUnavailable("cut off")

    def mend(self) -> None:
        """Have everything work again."""
        self.down.clear()

    async def _do(self, name: str, *arguments: Any, **keywords: Any) -> Any:
        self.calls.append(name)
        held = self.held.get(name) or self.held.get("*")
        if held is not None:
            await held.wait()
        error = self.down.get(name) or self.down.get("*")
        if error is not None:
            raise error
        return await getattr(self.inner, name)(*arguments, **keywords)

    async def get(self, key: str) -> bytes | None:
        return await self._do("get", key)

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        return await self._do("get_many", keys)

    async def set(self, key: str, value: bytes, *, ttl_ms: int) -> bool:
        return await self._do("set", key, value, ttl_ms=ttl_ms)

    async def set_many(self, items: Sequence[tuple[str, bytes, int]]) -> int:
        return await self._do("set_many", items)

    async def add(self, key: str, value: bytes, *, ttl_ms: int) -> bytes | None:
        return await self._do("add", key, value, ttl_ms=ttl_ms)

    async def delete(self, key: str) -> bool:
        return await self._do("delete", key)

    async def delete_many(self, keys: Sequence[str]) -> int:
        return await self._do("delete_many", keys)

    async def clear(self, prefix: str) -> int:
        return await self._do("clear", prefix)

    async def tags_begin(self, tags: Sequence[str], token: bytes, *, flux_ms: int) -> None:
        await self._do("tags_begin", tags, token, flux_ms=flux_ms)

    async def tags_end(self, tags: Sequence[str], token: bytes, *, stamp_ttl_ms: int) -> None:
        await self._do("tags_end", tags, token, stamp_ttl_ms=stamp_ttl_ms)

    async def identity(self) -> str:
        return self.name

    async def ping(self) -> None:
        await self._do("ping")

    async def aclose(self) -> None:
        self.calls.append("aclose")
