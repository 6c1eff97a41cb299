"""
What the connections of one gateway share: the store, the compiler, who listens, and whose turn it is.

Callers come in; they get a place among the connections, or the turn to write, at once or in line. Both are given back
by what took them.
"""

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import anyio

from gateways.memory.compiler import MemoryCompiler
from gateways.memory.events import Clock, Listeners
from gateways.memory.loops import Home, has_ended
from gateways.memory.store import Store
from gateways.memory.turns import Turns
from mapper.errors import LockTimeout, PoolTimeout
from mapper.gateway import PoolStatistics
from mapper.operations import Operation
from mapper.types import Codecs

__all__ = ["Held", "Shared"]


class Held(Protocol):
    """Something that is open: a connection or a stream."""

    loop: Any
    task: int

    def end(self) -> None:
        """Close it and give back what it holds."""
        ...


class Shared:
    """
    What the connections of one gateway share.

    Attributes:
        holder: The connection whose transaction writes, or None.
        open: Connections and streams that are open.
        writer: The one place of who writes.
    """

    def __init__(self, codecs: Codecs, *, limit: int, timeout: float) -> None:
        self.store = Store()
        self.compiler = MemoryCompiler(codecs)
        self.listeners = Listeners()
        self.writer = Turns(1)
        self.holder: Held | None = None
        self.open: set[Held] = set()
        self._places = Turns(limit)
        self._limit = limit
        self._timeout = timeout
        self._home = Home()
        self._later: deque[Callable[[], object]] = deque()

    # -- loops ---------------------------------------------------------------------------------------------------------

    def enter(self) -> None:
        """
        Belong to the running loop; to be called before everything else.

        Raises:
            WrongLoop: A loop in another thread has the gateway.
        """
        if self._home.thread != threading.get_ident() and self._home.enter():
            self._reclaim()
        while self._later:
            self._later.popleft()()

    def loop(self) -> object:
        """
        Return the running loop. It is remembered as the one that the gateway belongs to: a thread may run one after the
        other.
        """
        return self._home.now()

    def soon(self, callback: Callable[[], object]) -> None:
        """Call back now, or if this is another thread, as finalizers may be in, before the next operation."""
        if self._home.thread == threading.get_ident():
            callback()
        else:
            self._later.append(callback)

    def leave(self) -> None:
        """Close what is open, and belong to no loop."""
        for each in tuple(self.open):
            each.end()
        self._home.leave()

    def _reclaim(self) -> None:
        """Close what loops that have ended left open."""
        for each in tuple(self.open):
            if has_ended(each.loop):
                each.end()

    # -- places --------------------------------------------------------------------------------------------------------

    async def take_place(self) -> None:
        """
        Take a place among the connections.

        Raises:
            PoolTimeout: None became free in time.
        """
        if self._places.take_now():
            return
        self._reclaim()
        if self._places.take_now():
            return
        if self._own(self.open) == self._limit:
            raise self._no_place("this task has all of them itself")
        if not await self._places.take(self._timeout):
            raise self._no_place(f"none within {self._timeout:g} s")

    def give_place(self) -> None:
        """Give a place back."""
        self._places.give()

    async def take_turn(self, operation: Operation, clock: Clock | None) -> None:
        """
        Take the turn to write. Who listens is told where it does not come.

        Raises:
            LockTimeout: It did not come in time.
        """
        if self.writer.take_now():
            return
        try:
            await self._wait_for_turn(operation)
        except BaseException as error:
            if clock is not None:
                clock.queued()
                self.listeners.tell(clock.event(operation, error))
            raise

    async def _wait_for_turn(self, operation: Operation) -> None:
        self._reclaim()
        if self.writer.take_now():
            return
        if self.holder is not None and self._own({self.holder}):
            raise self._no_turn(operation, "a transaction of this task has it")
        if not await self.writer.take(self._timeout):
            raise self._no_turn(operation, f"another transaction had it for {self._timeout:g} s")

    def statistics(self) -> PoolStatistics:
        """Count connections."""
        used = self._limit - self._places.free
        return PoolStatistics(self._limit, used, 0, used, self._places.waiting + self.writer.waiting)

    def _own(self, held: set[Held]) -> int:
        """Return how many of these the running task holds."""
        task = anyio.get_current_task().id
        return sum(each.task == task for each in held)

    def _no_place(self, reason: str) -> PoolTimeout:
        return PoolTimeout(
            f"no connection became free: {reason}, and there are {self._limit}",
            hint="end streams and blocks that are open, or raise max_connections",
        )

    def _no_turn(self, operation: Operation, reason: str) -> LockTimeout:
        return LockTimeout(
            f"the turn to write did not come: {reason}",
            operation=operation,
            hint="within a transaction, write through it: `async with repository.transaction() as tx`",
        )
