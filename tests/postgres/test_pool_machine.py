"""The pool's state machine against a plain model, whatever is done to it in whatever order. No server."""

import attrs
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateways.postgres.pool import Limits, PoolState

pytestmark = pytest.mark.feature("T27")

LIMITS = Limits(3, lifetime=50.0, idle=20.0, proof=10.0, waiters=4)
PATIENCE = 15.0


@attrs.define(eq=False)
class Fake:
    born: float
    since: float
    generation: int
    open: bool = True
    settling: bool = False

    def is_open(self) -> bool:
        return self.open


@attrs.define(eq=False)
class Asking:
    """Somebody who waits; `given` is what they were offered."""

    given: list[Fake | None] = attrs.field(factory=list)
    gone: bool = False
    until: float = 0.0
    refused: list[Exception] = attrs.field(factory=list)

    def refuse(self, error: Exception) -> None:
        self.refused.append(error)

    def offer(self, connection: Fake | None) -> bool:
        if self.gone:
            return False
        assert not self.given, "it was offered twice"
        self.given.append(connection)
        return True


class PoolMachine(RuleBasedStateMachine):
    """Drives the pool and keeps account of who has what."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.state: PoolState[Fake] = PoolState(LIMITS)
        self.used: list[Fake] = []
        self.settling: list[Fake] = []
        self.opening: list[int] = []
        self.waiting: list[Asking] = []
        self.idle: list[Fake] = []

    # What callers do

    @rule(seconds=st.sampled_from([0.0, 1.0, 9.0, 25.0, 60.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def take(self) -> None:
        taken = self.state.take(self.now)
        while self.idle and not self.idle[-1].open:
            self.idle.pop()
        if taken is not None:
            assert taken.open
            assert self.now - taken.since <= LIMITS.proof
            assert taken is self.idle[-1], "the one used last is taken"
            self._use(taken)
            return
        unproved = self.state.take_unproved()
        if unproved is not None:
            self._use(unproved)
        elif self.state.reserve():
            self.opening.append(self.state.generation)
        else:
            asking = Asking(until=self.now + PATIENCE)
            if self.state.wait(asking):
                self.waiting.append(asking)
            else:
                assert len(self.waiting) == LIMITS.waiters

    @precondition(lambda self: self.opening)
    @rule(works=st.booleans(), data=st.data())
    def opened(self, works: bool, data: st.DataObject) -> None:
        generation = self.opening.pop(data.draw(st.integers(0, len(self.opening) - 1)))
        if works:
            self.used.append(Fake(self.now, self.now, generation))
        else:
            self._forget()

    @precondition(lambda self: self.used)
    @rule(data=st.data())
    def give(self, data: st.DataObject) -> None:
        self._give(self.used.pop(data.draw(st.integers(0, len(self.used) - 1))))

    @precondition(lambda self: self.used)
    @rule(data=st.data())
    def give_later(self, data: st.DataObject) -> None:
        connection = self.used.pop(data.draw(st.integers(0, len(self.used) - 1)))
        for _ in range(2):
            self.state.settle(connection)
        self.settling.append(connection)

    @precondition(lambda self: self.settling)
    @rule(data=st.data(), cleanly=st.booleans())
    def settled(self, data: st.DataObject, cleanly: bool) -> None:
        connection = self.settling.pop(data.draw(st.integers(0, len(self.settling) - 1)))
        for _ in range(2):
            self.state.settled(connection)
        if cleanly:
            self._give(connection)
        else:
            self._forget()

    @precondition(lambda self: self.used)
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        self.used.pop(data.draw(st.integers(0, len(self.used) - 1)))
        self._forget()

    @precondition(lambda self: self.waiting)
    @rule(data=st.data(), told=st.booleans())
    def give_up_waiting(self, data: st.DataObject, told: bool) -> None:
        """Leave the line, or only let nobody be offered anything any more: a task that is cancelled does so first."""
        asking = data.draw(st.sampled_from(self.waiting))
        asking.gone = True
        if told:
            self.state.leave(asking)
            self.state.leave(asking)
            self.waiting.remove(asking)

    @rule()
    def refuse(self) -> None:
        late = self.state.overdue(self.now)
        assert late == [each for each in self.waiting if each.until <= self.now]
        self.waiting = self.waiting[len(late) :]
        assert self.state.next_overdue() == (self.waiting[0].until if self.waiting else None)

    # What the world does

    @precondition(lambda self: self.used or self.idle)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.used + self.idle)).open = False

    @rule()
    def renew(self) -> None:
        assert self.state.renew() == self.idle
        self.idle = []

    @rule()
    def expire(self) -> None:
        due = self.state.next_expiry()
        gone = self.state.expired(self.now)
        kept = [each for each in self.idle if each not in gone]
        assert [each for each in self.idle if each in gone] == gone
        assert all(self.now - each.since < LIMITS.idle and self.now - each.born < LIMITS.lifetime for each in kept)
        assert (due is not None and due <= self.now) is bool(gone)
        self.idle = kept

    # What is always true

    @invariant()
    def numbers_are_whole(self) -> None:
        counted = self.state.statistics()
        assert counted.size == counted.idle + counted.in_use <= counted.limit == LIMITS.size
        assert counted.idle == len(self.idle) + len(self.settling)
        assert counted.in_use == len(self.used) + len(self.opening)
        assert counted.waiting == len(self.waiting)

    @invariant()
    def nobody_waits_in_vain(self) -> None:
        if any(not each.gone for each in self.waiting):
            assert not self.idle
            assert self.state.size == LIMITS.size

    def _use(self, connection: Fake) -> None:
        self.idle.remove(connection)
        self.used.append(connection)

    def _give(self, connection: Fake) -> None:
        usable = connection.open and connection.generation == self.state.generation
        usable = usable and self.now - connection.born < LIMITS.lifetime
        first = self._first()
        assert self.state.give(connection, self.now) is usable
        self._offered(first, connection if usable else None)
        if usable and first is None:
            self.idle.append(connection)

    def _forget(self) -> None:
        first = self._first()
        self.state.forget()
        self._offered(first, None)

    def _first(self) -> Asking | None:
        """Who is served next; those before, who have gone, are dropped from the line then."""
        return next((each for each in self.waiting if not each.gone), None)

    def _offered(self, first: Asking | None, connection: Fake | None) -> None:
        """Check that who waited longest got it, and nobody else."""
        place = len(self.waiting) if first is None else self.waiting.index(first)
        self.waiting = self.waiting[place + 1 :]
        if first is None:
            return
        assert first.given == [connection]
        if connection is None:
            self.opening.append(self.state.generation)
        else:
            assert connection.since == self.now
            self.used.append(connection)


TestPoolMachine = PoolMachine.TestCase
