"""
The one connection on which a gateway hears notifications, for all of its listeners.

Boxes of listeners go in, with the channels that they want; what the server sends to these is put into them. The
connection is opened for the first listener and closed behind the last. Where it is lost another is opened, for as long
as that takes, and every listener is told that it may have missed something.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any, Final

from attrs import frozen

from gateways.postgres.errors import translate
from gateways.postgres.notes import Box, Note
from gateways.postgres.session import abandon
from mapper.errors import ConnectionLost, MapperError, WrongLoop

__all__ = ["Hearing", "Pauses"]


@frozen
class Pauses:
    """
    How long is waited, in seconds.

    Attributes:
        first, longest: Between attempts to connect: the first pause, and what it grows to, doubled each time.
        steady: A connection that has lasted so long is no sign that the next attempt will fail too.
        beat: After so long without news the server has to prove that it is there.
        answer: How long it may take for that, and the connection to be closed.
    """

    first: float = 0.05
    longest: float = 10.0
    steady: float = 5.0
    beat: float = 15.0
    answer: float = 5.0

    def before(self, attempt: int) -> float:
        """Return the pause before an attempt, counted from 1; at random, so that not all clients come at once."""
        return random.uniform(0.5, 1.0) * min(self.first * 2.0 ** min(attempt - 1, 30), self.longest)


class Hearing:
    """
    Who listens to what, and the connection that it is heard on.

    Args:
        connect: Opens a connection of the driver.
    """

    def __init__(self, connect: Callable[[], Awaitable[Any]], pauses: Pauses | None = None) -> None:
        self._connect = connect
        self._pauses = pauses or Pauses()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._clear()

    def _clear(self) -> None:
        self._boxes: dict[str, dict[Box, None]] = {}
        self._new: dict[Box, None] = {}
        self._old: dict[Box, None] = {}
        self._changed = asyncio.Event()
        self._work: asyncio.Task[None] | None = None
        self._driver: Any = None

    # -- listeners -----------------------------------------------------------------------------------------------------

    async def enter(self, box: Box) -> None:
        """
        Listen: from now on, what is sent to the box's channels is put into it.

        Raises:
            CannotConnect: There is no connection, and none can be opened.
            StoreError: The server refuses.
            WrongLoop: Another event loop uses the gateway.
        """
        self._bind()
        self._new[box] = None
        for channel in box.channels:
            self._boxes.setdefault(channel, {})[box] = None
        self._wake()
        try:
            await asyncio.shield(box.heard)
        except BaseException:
            self.leave(box)
            raise

    def leave(self, box: Box) -> None:
        """Listen no more. The connection is given up behind the caller's back. Leaving twice is a no-op."""
        box.clear()
        self._drop(box)
        self._wake()

    def leave_from_anywhere(self, box: Box) -> None:
        """As `leave`, from whatever thread the garbage collector runs in."""
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if running is loop:
            self.leave(box)
        else:
            loop.call_soon_threadsafe(self.leave, box)

    def listens_to(self, channel: str) -> bool:
        """Whether somebody listens to a channel, and is told of what is sent to it from now on."""
        return any(box in self._old for box in self._boxes.get(channel, ()))

    async def quiet(self) -> None:
        """Wait until the connection is closed, if nobody listens; no longer than the server may take for that."""
        work = self._work
        if work is not None and self._driver is not None and not self._boxes:
            await asyncio.wait({work}, timeout=self._pauses.answer)

    async def aclose(self) -> None:
        """End every listener's stream, and close the connection."""
        if self._loop is None:
            return
        self._bind()
        for box in [*self._new, *self._old]:
            box.finish()
            self._drop(box)
        self._changed.set()
        await self.quiet()

    def _wake(self) -> None:
        self._changed.set()
        if self._work is None and self._boxes:
            self._work = asyncio.get_running_loop().create_task(self._serve())

    # -- the connection ------------------------------------------------------------------------------------------------

    async def _serve(self) -> None:
        """Keep a connection for as long as anybody listens."""
        attempt = 0
        try:
            while self._boxes:
                if attempt:
                    await self._pause(attempt)
                began = monotonic()
                try:
                    await self._use(await self._connect())
                except MapperError as error:
                    # One that was lost after a while says nothing about the next.
                    if attempt or not isinstance(error, ConnectionLost):
                        self._refuse(error)
                attempt = 1 if monotonic() - began > self._pauses.steady else attempt + 1
        except Exception as error:
            self._end(error)
        except BaseException:
            self._end(ConnectionLost("the event loop has ended what listens"))
            raise
        finally:
            self._work = None

    async def _pause(self, attempt: int) -> None:
        """Wait before another attempt; not where somebody new wants to know at once."""
        self._changed.clear()
        try:
            async with asyncio.timeout(self._pauses.before(attempt)):
                while self._boxes and not self._new:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            pass

    async def _use(self, driver: Any) -> None:
        """
        Listen on a connection until nobody wants it any more, and close it.

        Raises:
            ConnectionLost: It was lost, or the server does not answer.
        """
        self._driver = driver
        driver.add_termination_listener(self._lost)
        try:
            await self._hear_all(driver)
            await driver.close(timeout=self._pauses.answer)
        except TimeoutError as error:
            raise ConnectionLost("the server does not answer the connection that listens") from error
        except Exception as error:
            raised = translate(error, None, lost=True)
            if raised is error:
                raise
            raise raised from error
        finally:
            driver.terminate()
            self._driver = None

    async def _hear_all(self, driver: Any) -> None:
        """Keep to what the listeners want, until none is left."""
        heard: set[str] = set()
        told = False
        while self._boxes:
            self._changed.clear()
            await self._keep_to(driver, heard)
            if not told:
                told = True
                for box in self._old:
                    box.miss()
            self._welcome(heard)
            if driver.is_closed():
                raise ConnectionLost("the connection that listens was lost")
            await self._news(driver)

    async def _keep_to(self, driver: Any, heard: set[str]) -> None:
        """Listen to what is wanted, and to nothing else."""
        for channel in sorted(heard - self._boxes.keys()):
            heard.discard(channel)
            await driver.remove_listener(channel, self._take)
        for channel in sorted(self._boxes.keys() - heard):
            try:
                await driver.add_listener(channel, self._take)
            except Exception as error:
                if driver.is_closed() or getattr(error, "sqlstate", None) is None:
                    raise
                self._refuse_channel(channel, translate(error, None, lost=False))
            else:
                heard.add(channel)

    def _welcome(self, heard: set[str]) -> None:
        """Let those begin who wait for it, once all of their channels are heard."""
        for box in [each for each in self._new if heard.issuperset(each.channels)]:
            del self._new[box]
            self._old[box] = None
            if not box.heard.done():
                box.heard.set_result(None)

    async def _news(self, driver: Any) -> None:
        """Wait until something changes; a server that says nothing for long has to answer."""
        try:
            async with asyncio.timeout(self._pauses.beat):
                await self._changed.wait()
        except TimeoutError:
            async with asyncio.timeout(self._pauses.answer):
                await driver.execute("SELECT 1")

    def _take(self, driver: Any, process: int, channel: str, payload: str) -> None:
        """Put what the server sent into the boxes of its channel."""
        if driver is self._driver:
            note = Note(channel, payload, process)
            for box in self._boxes.get(channel, ()):
                box.put(note)

    def _lost(self, driver: Any) -> None:
        if driver is self._driver:
            self._changed.set()

    # -- refusals ------------------------------------------------------------------------------------------------------

    def _refuse(self, error: MapperError) -> None:
        """Tell those who wait for their beginning; and everybody, where trying again cannot help."""
        if _is_final(error):
            self._end(error)
            return
        for box in list(self._new):
            box.finish(error)
            self._drop(box)

    def _refuse_channel(self, channel: str, error: BaseException) -> None:
        for box in list(self._boxes.get(channel, ())):
            box.finish(error)
            self._drop(box)

    def _end(self, error: BaseException) -> None:
        for box in [*self._new, *self._old]:
            box.finish(error)
            self._drop(box)

    def _drop(self, box: Box) -> None:
        """Forget a box; one that is forgotten already is left alone."""
        self._new.pop(box, None)
        self._old.pop(box, None)
        for channel in box.channels:
            boxes = self._boxes.get(channel, {})
            boxes.pop(box, None)
            if not boxes:
                self._boxes.pop(channel, None)

    # -- loops ---------------------------------------------------------------------------------------------------------

    def _bind(self) -> None:
        """
        Belong to the running event loop; what is left of one that has ended is abandoned.

        Raises:
            WrongLoop: The other loop is still running.
        """
        loop = asyncio.get_running_loop()
        if self._loop is loop:
            return
        if self._loop is not None and self._loop.is_running():
            raise WrongLoop(
                "the gateway is in use by another event loop, which is still running",
                hint="make a gateway for each event loop",
            )
        if self._driver is not None:
            abandon(self._driver)
        self._clear()
        self._loop = loop


_PASSING: Final = ("08", "53", "57")
"""Classes of SQLSTATE that pass by themselves: of the connection, of resources, of an administrator's doing."""


def _is_final(error: MapperError) -> bool:
    """Whether the server itself refuses to be connected to, for a reason that does not pass: a password, a database."""
    state = getattr(error.__cause__, "sqlstate", None)
    return not isinstance(error, ConnectionLost) and isinstance(state, str) and state[:2] not in _PASSING
