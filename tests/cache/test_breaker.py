"""The breaker as a state machine: it lets one attempt through at a time once it has opened, and waits longer each time."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mapper.cache.breaker import Breaker
from tests.cache.faults import Clock

FAILURES, FIRST, LONGEST = 3, 1.0, 8.0


class Breaking(RuleBasedStateMachine):
    """Attempts that end in any order, while time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock(0.0)
        self.breaker = Breaker(self.clock, failures=FAILURES, first=FIRST, longest=LONGEST)
        self.under_way = 0
        self.probes = 0
        self.failed_in_a_row = 0

    @rule()
    def ask(self) -> None:
        before = self.breaker.state
        if self.breaker.allows():
            assert before != "probing", "a second attempt was let through"
            if before == "open":
                self.probes += 1
                assert self.breaker.state == "probing"
            self.under_way += 1
        else:
            assert before != "closed"

    @precondition(lambda self: self.under_way)
    @rule()
    def succeed(self) -> None:
        self.under_way -= 1
        self.failed_in_a_row = 0
        was = self.breaker.state
        assert self.breaker.succeeded() == (was != "closed")
        assert self.breaker.state == "closed"
        assert self.breaker.wait() == 0

    @precondition(lambda self: self.under_way)
    @rule()
    def fail(self) -> None:
        self.under_way -= 1
        self.failed_in_a_row += 1
        was = self.breaker.state
        opened = self.breaker.failed()
        if was == "closed":
            assert opened == (self.failed_in_a_row >= FAILURES)
        assert (self.breaker.state == "closed") == (was == "closed" and not opened)

    @precondition(lambda self: self.under_way)
    @rule()
    def cancel(self) -> None:
        self.under_way -= 1
        self.breaker.unknown()
        assert self.breaker.state != "probing"

    @rule(seconds=st.floats(0, 20))
    def wait(self, seconds: float) -> None:
        self.clock.at += seconds

    @invariant()
    def calm_is_closed_without_a_failure(self) -> None:
        assert self.breaker.calm == (self.breaker.state == "closed" and self.breaker._failed == 0)

    @invariant()
    def pauses_are_bounded(self) -> None:
        assert 0 <= self.breaker.wait() <= LONGEST


TestBreaking = Breaking.TestCase
TestBreaking.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


def test_pause_doubles_up_to_the_longest_and_begins_anew_after_a_success():
    clock = Clock(0.0)
    breaker = Breaker(clock, failures=1, first=FIRST, longest=LONGEST)
    pauses = []
    for _ in range(6):
        assert breaker.allows()
        breaker.failed()
        pauses.append(breaker.wait())
        assert not breaker.allows()
        clock.at += pauses[-1]
    assert pauses == [1, 2, 4, 8, 8, 8]
    assert breaker.allows()
    assert breaker.succeeded()
    breaker.failed()
    assert breaker.wait() == FIRST


@pytest.mark.parametrize("late", ["succeeded", "failed"])
def test_attempt_from_before_the_opening_may_end_during_the_probe(late: str):
    clock = Clock(0.0)
    breaker = Breaker(clock, failures=1, first=FIRST, longest=LONGEST)
    assert breaker.allows()
    assert breaker.allows()
    breaker.failed()
    clock.at += FIRST
    assert breaker.allows()
    assert breaker.state == "probing"
    getattr(breaker, late)()
    assert breaker.state == ("closed" if late == "succeeded" else "open")
