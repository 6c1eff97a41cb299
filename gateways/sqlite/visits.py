"""
Visits: pieces of work in the thread of a connection, how they are waited for, and how they are ended early.

Work for a session goes in; its value, or what it raised, comes out on the loop that asked for it.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Generic

from attrs import define, field
from typing_extensions import TypeVar

from gateways.sqlite.session import Session

__all__ = ["Visit"]

T = TypeVar("T")

_AGAIN: Final = (
    0.05  # seconds after which a cancelled visit is interrupted once more: one between two statements is lost
)

_MOMENT: Final = 0.01  # seconds that a thread may take to find that a visit is cancelled before it has begun


@define(eq=False, repr=False)
class Visit(Generic[T]):
    """
    One piece of work in the thread of a connection.

    Attributes:
        loop: Of whoever waits for it.
        asked: When it was asked for, by the loop's clock.
        certain: It runs to its end once it is asked for, cancelled or not: the end of a transaction.
        read_only: Writes are refused meanwhile.
        patient: SQLite itself waits for locks, for the whole of the busy timeout; else it does so in slices.
        session: Where it is done; None as long as it has not begun.
    """

    work: Callable[[Session], T]
    loop: asyncio.AbstractEventLoop
    asked: float = 0.0
    certain: bool = False
    read_only: bool = False
    patient: bool = False
    session: Session | None = field(default=None, init=False)
    cancelled: bool = field(default=False, init=False)
    exposed: bool = field(default=False, init=False)
    _told: bool = field(default=False, init=False)
    _value: T | None = field(default=None, init=False)
    _error: BaseException | None = field(default=None, init=False)
    _left: "asyncio.Future[None]" = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._left = self.loop.create_future()

    # In the connection's thread

    def run(self, session: Session) -> None:
        """Do the work. What is cancelled before it has begun is not done."""
        self.session = session
        with session.guard:
            if self.cancelled and not self.certain:
                return
            session.visit = self
            self.exposed = not self.certain
        try:
            session.adapt(self)
            self._value = self.work(session)
        except BaseException as error:
            self._error = error
        finally:
            with session.guard:
                session.visit = None

    # On the loop

    def tell(self) -> None:
        """Wake whoever waits: the thread has left the visit, and the connection is where it belongs."""
        self._told = True
        if not self._left.done():
            self._left.set_result(None)

    def fail(self, error: BaseException) -> None:
        """Wake whoever waits with an error: the visit will not begin."""
        if not self._left.done():
            self._left.set_exception(error)

    async def outcome(self) -> T:
        """
        Wait until it is done, and give its value or raise its error.

        A cancelled caller is cancelled once the thread has left it, with what it did undone; what is `certain` is done.

        Raises:
            CancelledError: Of certain work that failed, the failure is its cause.
        """
        try:
            await self._left
        except asyncio.CancelledError as cancelled:
            await self._leave()
            if self.certain and self._error is not None:
                raise cancelled from self._error
            raise
        error, self._error = self._error, None
        if error is not None:
            try:
                raise error
            finally:
                del error
        return self._value  # type: ignore[return-value]  # None only where T is

    async def _leave(self) -> None:
        """Have the thread leave it, and wait for that, however often the waiting is cancelled."""
        self._left = self.loop.create_future()
        self.cancel()
        while not self._told:
            begun = self.session is not None or self.certain
            try:
                await asyncio.wait((self._left,), timeout=_AGAIN if begun else _MOMENT)
            except asyncio.CancelledError:
                continue
            self.cancel()
            if not begun and self.session is None:
                return  # it stands behind others, and will never begin

    def cancel(self) -> None:
        """
        Ask it to end early.

        A statement of its own is interrupted, unless that would harm more than this visit. The interrupt cannot reach
        what comes after the visit: it is sent under the lock under which the visit ends.
        """
        self.cancelled = True
        session = self.session
        if session is None:
            return
        with session.guard:
            if session.visit is self and self.exposed:
                session.raw.interrupt()
