"""
The pool's decisions, without I/O: which connection is handed out, who waits, what is closed.

Connections and moments go in; connections to be used, to be closed, or room to open one come out.
`gateways.postgres.connections` does what is decided here. Idle connections are a stack, so that those which a peak
has left over grow old and are closed; who waits is served in the order of asking.
"""

from collections import deque
from typing import Generic, Protocol

from attrs import frozen
from typing_extensions import TypeVar

from mapper.gateway import PoolStatistics

__all__ = ["Limits", "PoolState", "Pooled", "Waiter"]


class Pooled(Protocol):
    """
    What the pool knows of a connection.

    Attributes:
        born: When it was opened, in seconds of a monotonic clock.
        since: When it was given back last.
        generation: The pool's when it was opened.
        settling: It was given back, and is not clean or not closed yet.
    """

    born: float
    since: float
    generation: int
    settling: bool

    def is_open(self) -> bool:
        """Whether it is not known to be closed."""
        ...


C = TypeVar("C", bound=Pooled)
C_contra = TypeVar("C_contra", contravariant=True)


class Waiter(Protocol[C_contra]):
    """
    Somebody who waits for a connection.

    Attributes:
        until: When the waiting is over, in seconds of a clock that is the same for all; who came later waits longer.
    """

    until: float

    def refuse(self, error: Exception) -> None:
        """Tell the waiter that there is none; a no-op where nobody waits any more."""
        ...

    def offer(self, connection: C_contra | None) -> bool:
        """
        Hand over a connection, or with None the room to open one. False where nobody waits any more, and nothing is
        taken.
        """
        ...


@frozen
class Limits:
    """
    What a pool keeps to; times are in seconds.

    Attributes:
        size: Connections at most.
        lifetime: How old a connection becomes.
        idle: How long one is kept that nobody uses.
        proof: After how long without use one has to answer before it is handed out.
        waiters: Callers that wait for one at most.
    """

    size: int
    lifetime: float = 3600.0
    idle: float = 600.0
    proof: float = 60.0
    waiters: int = 50_000


class PoolState(Generic[C]):
    """
    The connections of a pool.

    Attributes:
        idle: Connections that nobody has, the one that was used last at the end.
        waiters: Those who wait for one, in the order of asking.
        size: Connections that are open, being opened, or being closed after something was cancelled on them.
        settling: Connections that were given back and are not clean yet, or not closed yet.
        generation: Counts losses; a connection of an earlier generation is closed when it comes back.
    """

    __slots__ = ("generation", "idle", "limits", "settling", "size", "waiters")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.size = 0
        self.settling = 0
        self.generation = 0
        self.idle: deque[C] = deque()
        self.waiters: deque[Waiter[C]] = deque()

    def take(self, now: float) -> C | None:
        """
        Return an idle connection that is not known to be closed; None where there is none, or one that has to prove
        itself first.

        One that is closed is dropped: nothing is left of it to be closed.
        """
        idle = self.idle
        while idle:
            connection = idle.pop()
            if not connection.is_open():
                self.size -= 1
            elif now - connection.since > self.limits.proof:
                idle.append(connection)
                return None
            else:
                return connection
        return None

    def take_unproved(self) -> C | None:
        """Return an idle connection however long nobody has used it, or None."""
        return self.idle.pop() if self.idle else None

    def has_room(self) -> bool:
        """Whether a connection is idle, or may be opened."""
        return bool(self.idle) or self.size < self.limits.size

    def reserve(self) -> bool:
        """Take the room to open a connection; False where there is none."""
        if self.size >= self.limits.size:
            return False
        self.size += 1
        return True

    def wait(self, waiter: Waiter[C]) -> bool:
        """Let somebody wait, behind those who do; False where too many do."""
        if len(self.waiters) >= self.limits.waiters:
            return False
        self.waiters.append(waiter)
        return True

    def has_waiters(self) -> bool:
        """Whether somebody waits."""
        return bool(self.waiters)

    def leave(self, waiter: Waiter[C]) -> None:
        """Let somebody wait no more; a no-op for one who does not."""
        try:
            self.waiters.remove(waiter)
        except ValueError:
            pass

    def overdue(self, now: float) -> list[Waiter[C]]:
        """Let those wait no more whose waiting is over, and return them in the order of asking."""
        found: list[Waiter[C]] = []
        while self.waiters and self.waiters[0].until <= now:
            found.append(self.waiters.popleft())
        return found

    def next_overdue(self) -> float | None:
        """Return when the waiting of the first is over; None where nobody waits."""
        return self.waiters[0].until if self.waiters else None

    def give(self, connection: C, now: float) -> bool:
        """
        Take a connection back, for who waits longest or to be idle.

        Returns:
            False where it is not to be used again: then it is to be closed, and its room is free.
        """
        if not connection.is_open() or self.is_spent(connection, now):
            self.forget()
            return False
        connection.since = now
        if not self.waiters or not self._offer(connection):
            self.idle.append(connection)
        return True

    def settle(self, connection: C) -> None:
        """Count a connection as one that nobody has, although it cannot be used yet. A no-op where it is counted so."""
        if not connection.settling:
            connection.settling = True
            self.settling += 1

    def settled(self, connection: C) -> None:
        """Count it so no more; a no-op where it is not."""
        if connection.settling:
            connection.settling = False
            self.settling -= 1

    def is_spent(self, connection: C, now: float) -> bool:
        """Whether a connection is too old, or was open when others were lost."""
        return connection.generation != self.generation or now - connection.born >= self.limits.lifetime

    def forget(self) -> None:
        """
        Free the room of a connection that is closed, or could not be opened: who waits longest may open one in its
        place.
        """
        if not self._offer(None):
            self.size -= 1

    def renew(self) -> list[C]:
        """
        Begin a new generation, after a loss or at the end, and return the idle connections, which are to be closed.
        """
        self.generation += 1
        return self._drop(list(self.idle))

    def expired(self, now: float) -> list[C]:
        """Take out the idle connections that are too old or unused for too long, and return them to be closed."""
        unused = now - self.limits.idle
        return self._drop([each for each in self.idle if each.since <= unused or self.is_spent(each, now)])

    def next_expiry(self) -> float | None:
        """Return when the next idle connection will be too old or unused for too long; None where there is none."""
        idle, lifetime = self.limits.idle, self.limits.lifetime
        return min([min(each.since + idle, each.born + lifetime) for each in self.idle], default=None)

    def statistics(self) -> PoolStatistics:
        """Count connections. One that is being opened is in use; one that is not clean yet is idle: nobody has it."""
        idle = len(self.idle) + self.settling
        return PoolStatistics(self.limits.size, self.size, idle, self.size - idle, len(self.waiters))

    def _drop(self, dropped: list[C]) -> list[C]:
        for each in dropped:
            self.idle.remove(each)
            self.size -= 1
        return dropped

    def _offer(self, connection: C | None) -> bool:
        while self.waiters:
            if self.waiters.popleft().offer(connection):
                return True
        return False
