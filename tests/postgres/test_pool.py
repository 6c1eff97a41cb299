"""The pool's decisions, without a server: who gets a connection, and which are closed."""

import random
from typing import Any

import attrs
import pytest

from gateways.postgres.pool import Limits, PoolState


@attrs.define(eq=False)
class Fake:
    born: float = 0.0
    since: float = 0.0
    generation: int = 0
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
        if self.gone or self.given:
            return False
        self.given.append(connection)
        return True


def pool(size: int = 2, **limits: Any) -> PoolState[Fake]:
    return PoolState(Limits(size, **limits))


def opened(state: PoolState[Fake], now: float = 0.0) -> Fake:
    assert state.reserve()
    return Fake(born=now, generation=state.generation)


def numbers(state: PoolState[Fake]) -> tuple[int, int, int, int]:
    counted = state.statistics()
    return counted.size, counted.idle, counted.in_use, counted.waiting


def test_take_of_an_empty_pool_is_none():
    assert pool().take(0.0) is None


def test_reserve_stops_at_the_limit():
    state = pool(2)
    assert [state.reserve() for _ in range(3)] == [True, True, False]


def test_take_gives_the_connection_used_last():
    state = pool()
    first, second = opened(state), opened(state)
    state.give(first, 1.0)
    state.give(second, 2.0)
    assert state.take(3.0) is second
    assert numbers(state) == (2, 1, 1, 0)


def test_take_never_gives_a_closed_connection():
    state = pool()
    first, second = opened(state), opened(state)
    state.give(first, 1.0)
    state.give(second, 2.0)
    second.open = False
    assert state.take(3.0) is first
    assert numbers(state) == (1, 0, 1, 0)


def test_take_leaves_a_connection_that_has_to_prove_itself():
    state = pool(proof=60.0)
    connection = opened(state)
    state.give(connection, 0.0)
    assert state.take(61.0) is None
    assert state.take_unproved() is connection


def test_give_serves_who_waits_longest():
    state = pool(1)
    connection = opened(state)
    first, second = Asking(), Asking()
    state.wait(first)
    state.wait(second)
    assert state.give(connection, 1.0)
    assert (first.given, second.given) == ([connection], [])
    assert numbers(state) == (1, 0, 1, 1)


def test_give_passes_over_who_has_gone():
    state = pool(1)
    connection = opened(state)
    gone, here = Asking(gone=True), Asking()
    state.wait(gone)
    state.wait(here)
    state.give(connection, 1.0)
    assert here.given == [connection]


def test_leave_takes_a_waiter_out():
    state = pool(1)
    asking = Asking()
    state.wait(asking)
    state.leave(asking)
    state.leave(asking)
    assert numbers(state)[3] == 0


def test_overdue_takes_out_those_whose_waiting_is_over_in_order():
    state = pool(1)
    line = [Asking(until=moment) for moment in (10.0, 10.0, 11.0, 13.0)]
    for each in line:
        state.wait(each)
    assert state.next_overdue() == 10.0
    assert state.overdue(9.9) == []
    state.leave(line[0])
    assert state.overdue(11.0) == line[1:3]
    assert (state.next_overdue(), numbers(state)[3]) == (13.0, 1)
    assert state.overdue(20.0) == line[3:]
    assert (state.next_overdue(), numbers(state)[3]) == (None, 0)


@pytest.mark.parametrize("reason", ["closed", "old", "of an earlier generation"])
def test_give_refuses_a_connection_that_is(reason: str):
    state = pool(1, lifetime=10.0)
    connection = opened(state)
    if reason == "closed":
        connection.open = False
    elif reason == "of an earlier generation":
        state.renew()
    asking = Asking()
    state.wait(asking)
    assert not state.give(connection, 11.0 if reason == "old" else 1.0)
    assert asking.given == [None]
    assert numbers(state) == (1, 0, 1, 0)


def test_forget_frees_room_where_nobody_waits():
    state = pool(1)
    opened(state)
    state.forget()
    assert state.reserve()


def test_renew_drops_every_idle_connection():
    state = pool(3)
    connections = [opened(state) for _ in range(3)]
    for each in connections[:2]:
        state.give(each, 1.0)
    assert state.renew() == connections[:2]
    assert numbers(state) == (1, 0, 1, 0)


def test_expired_are_those_unused_for_too_long():
    state = pool(2, idle=10.0)
    first, second = opened(state), opened(state)
    state.give(first, 1.0)
    state.give(second, 5.0)
    assert state.next_expiry() == 11.0
    assert state.expired(11.0) == [first]
    assert state.expired(14.9) == []
    assert state.next_expiry() == 15.0


def test_numbers_hold_whatever_happens():
    chance = random.Random(7)
    state = pool(4, lifetime=50.0, idle=20.0, proof=10.0)
    used: list[Fake] = []
    waiting: list[Asking] = []
    for moment in range(20_000):
        now = moment / 10
        match chance.choice(("take", "take", "give", "give", "lose", "close", "leave", "expire", "renew")):
            case "take":
                connection = state.take(now) or state.take_unproved()
                if connection is not None:
                    used.append(connection)
                elif state.reserve():
                    used.append(Fake(now, now, state.generation))
                else:
                    waiting.append(Asking())
                    state.wait(waiting[-1])
            case "give" if used:
                state.give(used.pop(chance.randrange(len(used))), now)
            case "lose" if used:
                used.pop().open = False
                state.forget()
            case "close" if used:
                chance.choice(used).open = False
            case "leave" if waiting:
                asking = chance.choice(waiting)
                asking.gone = not asking.given
                state.leave(asking)
            case "expire":
                state.expired(now)
            case "renew" if chance.random() < 0.1:
                state.renew()
            case _:
                pass
        for each in [each for each in waiting if each.given or each.gone]:
            waiting.remove(each)
            if each.given:
                used.append(each.given[0] or Fake(now, now, state.generation))
        size, idle, in_use, still = numbers(state)
        assert (in_use, still) == (len(used), len(waiting))
        assert size == idle + in_use <= 4
        assert not still or not idle
