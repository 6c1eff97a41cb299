"""
Being told of changes by the server: a connection of its own that listens (`CLIENT TRACKING`, broadcast by prefix).

Prefixes go in; keys that have changed come out as calls, and None whenever some may have been missed.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any, Final

from cache_drivers.redis.cluster import ASK_LAYOUT, Cluster
from cache_drivers.redis.connecting import ASK_STATE, ServerState
from cache_drivers.redis.replies import error_of, first_refusal
from cache_drivers.redis.routing import Route
from cache_drivers.redis.wire import Argument, Reply, Wire, packed
from mapper.errors import CacheDriverError, CacheUnavailable

__all__ = ["PING_SECONDS", "Following", "Told"]

Told = Callable[[Sequence[str] | None], None]

PING_SECONDS: Final = 1.0
"""How often a server that says nothing is asked whether it is there. It is given up on after the driver's
`command_timeout` more."""

NO_KEY: Final = " "
"""What no key of a driver begins with."""

FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 2.0


class Following:
    """
    One caller's connections that listen: to each server that has keys.

    Args:
        route: Finds the way to the servers.
        prefixes: What the keys to be told of begin with.
        told: Called with keys, or with None.
        opened: Called for each connection that was opened.

    Attributes:
        current: Whether nothing is being missed.
    """

    def __init__(
        self, route: Callable[[], Any], prefixes: Sequence[str], told: Told, opened: Callable[[], None]
    ) -> None:
        self.current = False
        self._route = route
        self._told = told
        self._opened = opened
        self._tracking = _tracking(prefixes)
        self._wires: list[Wire] = []
        self._changed = asyncio.Event()
        self._tried = asyncio.Event()
        self._task = asyncio.create_task(self._keep())

    async def tried(self) -> None:
        """Wait until the servers have been tried for the first time."""
        await self._tried.wait()

    async def stop(self) -> None:
        """Tell of nothing any more, and close the connections; a no-op the second time."""
        self.current = False
        self._told = _nobody
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _keep(self) -> None:
        pause = FIRST_PAUSE
        while True:
            with contextlib.suppress(CacheDriverError):
                try:
                    watched = await self._connect()
                    pause = FIRST_PAUSE
                    self._told(None)
                    self.current = True
                    self._tried.set()
                    await self._watch(watched)
                finally:
                    self._lose()
                    await self._close()
            self._tried.set()
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _connect(self) -> list[tuple[Wire, bytes, int, Any]]:
        """Open a connection to each server, and return them, each with what is asked of it and what it answered."""
        route: Route = await self._route()
        question, count = (ASK_LAYOUT, 1) if isinstance(route, Cluster) else (ASK_STATE, 2)
        self._changed.clear()
        watched = []
        for pool in await route.primaries():
            wire, _ = await pool.connecting.open(self._push)
            self._opened()
            self._wires.append(wire)
            replies = await wire.exchange(self._tracking + question, count + 1)
            if (refusal := first_refusal(replies)) is not None:
                raise error_of(refusal, "CLIENT TRACKING")
            watched.append((wire, question, count, _essence(replies[1:])))
        if self._changed.is_set():
            raise CacheUnavailable("a redis server was lost again at once")
        return watched

    async def _watch(self, watched: list[tuple[Wire, bytes, int, Any]]) -> None:
        """Return when a connection is lost, a server does not answer, is no primary any more, or slots have moved."""
        while True:
            try:
                async with asyncio.timeout(PING_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                pass
            if self._changed.is_set():
                return
            for wire, question, count, before in watched:
                if _essence(await wire.exchange(question, count)) != before:
                    return

    def _push(self, said: Sequence[Any] | None) -> None:
        if said is None:
            self._changed.set()
            self._lose()
        elif said[1] is None:
            self._told(None)
        else:
            self._told([key.decode("ascii", "backslashreplace") for key in said[1]])

    def _lose(self) -> None:
        if self.current:
            self.current = False
            self._told(None)

    async def _close(self) -> None:
        wires, self._wires = self._wires, []
        for wire in wires:
            wire.abort()
        await asyncio.gather(*(wire.aclose() for wire in wires))


def _nobody(keys: Sequence[str] | None) -> None:
    """Take no notice."""
    del keys


def _essence(replies: Sequence[Reply]) -> Any:
    """Return what must stay the same: of a layout all, of a server's state what names it."""
    return replies[0] if isinstance(replies[0], list) else ServerState.of(replies)


def _tracking(prefixes: Sequence[str]) -> bytes:
    """Return the command that asks for changes; a server refuses prefixes of which one begins with another."""
    kept: list[str] = []
    for prefix in sorted(set(prefixes)) or [NO_KEY]:
        if not kept or not prefix.startswith(kept[-1]):
            kept.append(prefix)
    named: list[Argument] = [word for prefix in kept if prefix for word in ("PREFIX", prefix)]
    return packed("CLIENT", "TRACKING", "ON", "BCAST", *named)
