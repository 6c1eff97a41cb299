"""A driver that fails, is slow or comes back as another: no read fails, nothing untrue is served, commits are told of."""

import asyncio
from typing import Any

import anyio
import pytest

from gateways.memory import MemoryGateway
from mapper import select
from mapper.cache import Cache, CachePolicy
from mapper.cache.pending import MOST_TAGS
from mapper.errors import (
    CacheConfigError,
    CacheDriverError,
    CacheInvalidationError,
    CacheKeyInvalid,
    CacheMiss,
    CommitUnknown,
    UniqueViolation,
)
from mapper.operations import Operation, Result
from mapper.relation import info
from mapper.statements import InsertRows
from tests.cache.faults import FaultyDriver
from tests.cache.shop import Shop, User, Users, Watched


class Faulty(Watched):
    """A shop behind a cache on a driver that can be cut off."""

    def __init__(self, driver: FaultyDriver | None = None, gateway: Any = None, **settings: Any) -> None:
        self.driver = FaultyDriver() if driver is None else driver
        super().__init__(self.driver, **settings)
        self.gateway = MemoryGateway() if gateway is None else gateway
        self.plain = Shop(self.gateway)
        self.shop = Shop(self.cache.wrap(self.gateway))

    async def filled(self) -> "Faulty":
        await self.plain.push_schema()
        changes = Shop.change()
        changes.inserts(Users).extend([User("Ada", 1), User("Bob", 2)])
        await changes.commit(self.plain)
        return self

    async def score(self, shop: Any = None) -> int:
        return await select(Users.score).where(Users.id == 1).one(self.shop if shop is None else shop)

    async def scored(self, score: int) -> None:
        changes = Shop.change()
        changes.update(Users, 1, Users.score.to(score))
        await changes.commit(self.shop)


@pytest.mark.feature("C8", "N1")
@pytest.mark.parametrize("error", [None, ConnectionResetError(), KeyError("x"), TimeoutError()], ids=repr)
async def test_read_fails_for_no_error_of_the_driver(error: Exception | None):
    faulty = await Faulty().filled()
    faulty.driver.cut(error=error)
    for _ in range(10):
        assert await faulty.score() == 1
    assert ("breaker", "open") in faulty.taken()
    with pytest.raises(CacheMiss):
        await faulty.score(faulty.shop.cached(mode="only"))


async def test_read_waits_for_a_slow_driver_no_longer_than_it_may():
    faulty = await Faulty(policy=CachePolicy(lookup_timeout=0.02, store_timeout=0.02)).filled()
    faulty.driver.held["*"] = anyio.Event()
    with anyio.fail_after(2):
        for _ in range(7):
            assert await faulty.score() == 1
        await faulty.scored(5)
        assert await faulty.score() == 5
    assert ("error", "CacheTimeout") in faulty.taken()
    faulty.driver.held.clear()
    await faulty.cache.drain()


async def test_driver_that_does_not_keep_a_value_costs_a_read_nothing():
    faulty = await Faulty(policy=CachePolicy(lookup_timeout=0.05, store_timeout=0.05)).filled()
    faulty.driver.held["set"] = anyio.Event()
    with anyio.fail_after(1):
        assert await faulty.score() == 1
    faulty.driver.held.clear()
    await faulty.cache.drain()


@pytest.mark.feature("N1")
@pytest.mark.parametrize("cut", [("tags_end",), ("tags_begin", "tags_end"), ("tags_begin",)], ids="+".join)
async def test_commit_that_the_driver_could_not_be_told_of_is_told_later_and_never_hidden(cut: tuple[str, ...]):
    faulty = await Faulty().filled()
    assert await faulty.score() == 1
    faulty.driver.cut(*cut)
    await faulty.scored(7)
    assert await faulty.score() == 7
    faulty.driver.mend()
    with anyio.fail_after(10):
        await faulty.cache.drain()
    assert faulty.cache.stats().pending == 0
    assert await faulty.score() == 7
    assert await faulty.kinds(faulty.score()) == ["hit"], "the marks were left behind"
    other = Faulty(faulty.driver, faulty.gateway)
    assert await other.score() == 7


async def test_too_much_that_is_pending_becomes_a_change_of_everything():
    faulty = await Faulty().filled()
    await faulty.score()
    faulty.driver.cut("tags_end")
    keeper = faulty.cache._keeper
    keeper._remember([f"test:1:t:r:{each}" for each in range(MOST_TAGS + 1)])
    assert ("lost", "") in faulty.taken()
    assert len(keeper.pending) == 1
    assert (await faulty.kinds(faulty.score()))[0] == "miss"
    faulty.driver.mend()
    with anyio.fail_after(10):
        await faulty.cache.drain()
    assert not keeper.pending
    assert (await faulty.kinds(faulty.score()))[-1] == "fill"


async def test_raise_tells_of_a_commit_that_happened():
    faulty = await Faulty(on_invalidation_failure="raise").filled()
    faulty.driver.cut("tags_end")
    with pytest.raises(CacheInvalidationError) as raised:
        await faulty.scored(7)
    assert raised.value.committed
    assert await faulty.score(faulty.plain) == 7
    assert await faulty.score() == 7
    faulty.driver.mend()
    await faulty.cache.drain()
    with pytest.raises(CacheInvalidationError):
        faulty.driver.cut("tags_end")
        await faulty.cache.invalidate(Users)
    faulty.driver.mend()
    await faulty.cache.drain()


async def test_refuse_commits_nothing_that_was_not_marked():
    faulty = await Faulty(on_invalidation_failure="refuse").filled()
    faulty.driver.cut("tags_begin")
    with pytest.raises(CacheDriverError):
        await faulty.scored(7)
    with pytest.raises(CacheDriverError):
        async with faulty.shop.transaction() as tx:
            changes = Shop.change()
            changes.inserts(Users).push(User("Cy"))
            await changes.commit(tx)
    assert await faulty.score(faulty.plain) == 1
    assert await select(Users).count(faulty.plain) == 2
    faulty.driver.mend()
    await faulty.cache.drain()
    await faulty.scored(8)
    assert await faulty.score() == 8


async def test_server_that_came_back_with_old_stamps_is_not_believed():
    faulty = await Faulty().filled()
    await faulty.score()
    assert await faulty.kinds(faulty.score()) == ["hit"]
    faulty.driver.name, faulty.driver.connections_made = "another", 2
    assert "hit" not in await faulty.kinds(faulty.score())
    assert await faulty.kinds(faulty.score()) == ["hit"]


async def test_answer_of_a_server_that_another_reader_learned_of_meanwhile_is_not_believed():
    faulty = await Faulty().filled()
    await faulty.score()
    driver = faulty.driver
    driver.held["get_many"] = held = anyio.Event()
    slow = asyncio.create_task(faulty.score(faulty.shop.cached(lookup_timeout=5)))
    await anyio.wait_all_tasks_blocked()
    driver.name, driver.connections_made = "another", 2
    driver.held.clear()
    await select(Users).count(faulty.shop)
    faulty.events.clear()
    held.set()
    assert await slow == 1
    assert ("hit", "") not in faulty.taken()


class Losing(MemoryGateway):
    """A gateway whose connection is lost at a write, which takes effect later."""

    lost: Operation | None = None
    loses = False

    async def execute(self, operation: Any) -> Result:
        if self.loses:
            self.lost, self.loses = operation, False
            raise CommitUnknown("lost")
        return await super().execute(operation)


@pytest.mark.parametrize("mode", ["two_phase", "after_commit"])
async def test_write_that_takes_effect_after_its_connection_was_lost_is_seen(mode: Any):
    gateway = Losing()
    faulty = await Faulty(gateway=gateway, invalidation=mode).filled()
    await faulty.score()
    gateway.loses = True
    with pytest.raises(CommitUnknown):
        await faulty.scored(9)
    assert await faulty.score() == 1
    assert gateway.lost is not None
    await gateway.execute(gateway.lost)
    with anyio.fail_after(5):
        await faulty.cache.drain()
    assert await faulty.score() == 9


@pytest.mark.parametrize("mode", ["two_phase", "after_commit", "outbox"])
async def test_program_that_fails_behind_what_it_committed_is_told_of(mode: Any):
    faulty = await Faulty(invalidation=mode).filled()
    await faulty.shop.push_schema()
    names = select(Users.name).order_by(Users.id)
    assert await names.all(faulty.shop) == ["Ada", "Bob"]
    gateway, described = faulty.shop._executor.gateway, info(Users)

    def program() -> Any:
        columns = (described.column("name"), described.column("score"))
        for _ in range(2):
            yield gateway.compile(InsertRows(Users, columns, [("Cy", 1)]))

    with pytest.raises(UniqueViolation):
        await gateway.run(program())
    assert await names.all(faulty.shop) == ["Ada", "Bob", "Cy"]


@pytest.mark.parametrize("mode", ["two_phase", "after_commit"])
async def test_block_of_changes_that_fails_is_told_of(mode: Any):
    faulty = await Faulty(invalidation=mode).filled()
    assert await faulty.score() == 1
    with pytest.raises(ZeroDivisionError):
        async with faulty.cache.changing(Users):
            changes = Shop.change()
            changes.update(Users, 1, Users.score.to(6))
            await changes.commit(faulty.plain)
            raise ZeroDivisionError
    assert await faulty.score() == 6


async def test_write_that_is_cancelled_is_told_of_nevertheless():
    faulty = await Faulty().filled()
    await faulty.score()
    faulty.driver.held["tags_end"] = held = anyio.Event()
    write = asyncio.create_task(faulty.scored(5))
    await anyio.wait_all_tasks_blocked()
    write.cancel()
    await anyio.wait_all_tasks_blocked()
    held.set()
    with pytest.raises(asyncio.CancelledError):
        await write
    assert await faulty.score() == 5
    await faulty.cache.drain()


@pytest.mark.feature("C7", "M6")
async def test_events_have_no_key_parameter_or_value():
    secret = "s3cr3t"
    faulty = await Faulty().filled()
    changes = Shop.change()
    changes.inserts(Users).push(User(secret, 987654))
    await changes.commit(faulty.shop)
    for _ in range(2):
        await select(Users).where(Users.name == secret).all(faulty.shop)
        await select(Users).find(987654321).execute(faulty.shop)
        await select(Users).where(Users.id.in_([987654321, 3])).all(faulty.shop)
    faulty.driver.cut(error=CacheKeyInvalid("key 'test:1:t:p:cache_users:987654321' cannot be kept"))
    await select(Users).find(987654321).execute(faulty.shop)
    faulty.driver.mend()
    told = [repr(each) + str(each.error) for each in faulty.events]
    assert len({each.kind for each in faulty.events}) >= 5
    assert not [each for each in told if secret in each or "987654" in each or "test:1:" in each]


async def test_listener_that_fails_fails_nobody():
    faulty = await Faulty().filled()

    def failing(event: Any) -> None:
        raise ZeroDivisionError

    stop = faulty.cache.subscribe(failing)
    assert await faulty.score() == 1
    stop()
    stop()


async def test_statistics_count_what_happened():
    faulty = await Faulty().filled()
    for _ in range(4):
        await faulty.score()
    stats = faulty.cache.stats()
    assert (stats.hits, stats.misses, stats.hit_ratio) == (3, 1, 0.75)
    assert stats.reasons["miss", "absent"] == 1
    assert stats.breaker == "closed"
    assert stats.pending == 0


async def test_closing_does_what_is_pending_and_the_cache_can_be_used_again():
    faulty = await Faulty().filled()
    await faulty.score()
    faulty.driver.cut("tags_end")
    await faulty.scored(3)
    faulty.driver.mend()
    await faulty.cache.aclose()
    assert faulty.cache.stats().pending == 0
    assert faulty.driver.calls[-1] == "aclose"
    assert await faulty.score() == 3
    await faulty.cache.drain()


def test_event_loop_that_only_reads_does_what_another_left_pending():
    faulty = Faulty()

    async def first() -> None:
        await faulty.filled()
        await faulty.score()
        faulty.driver.cut("tags_end")
        await faulty.scored(4)

    async def second() -> None:
        faulty.driver.mend()
        assert await faulty.score() == 4
        with anyio.fail_after(5):
            await faulty.cache.drain()
        assert faulty.cache.stats().pending == 0

    asyncio.run(first())
    asyncio.run(second())


@pytest.mark.parametrize(
    "settings",
    [
        {"namespace": "a b"},
        {"invalidation": "never"},
        {"on_invalidation_failure": "ignore"},
        {"invalidation": "after_commit", "on_invalidation_failure": "refuse"},
        {"policy": 60},
        {"policies": {Users: 60}},
        {"verify_sample": 2},
        {"flux_seconds": 0},
        {"scope": None},
    ],
    ids=str,
)
def test_cache_that_cannot_be_is_refused(settings: dict[str, Any]):
    with pytest.raises(CacheConfigError):
        Cache(FaultyDriver(), **{"namespace": "shop", **settings})


def test_two_phases_need_a_driver_that_has_them():
    driver = FaultyDriver(tags=False)
    assert Cache(driver, namespace="shop").invalidation == "after_commit"
    with pytest.raises(CacheConfigError):
        Cache(driver, namespace="shop", invalidation="two_phase")
    with pytest.raises(CacheConfigError):
        Cache(object(), namespace="shop")  # type: ignore[arg-type]  # is refused


async def test_gateway_is_wrapped_once():
    cache = Watched().cache
    gateway = cache.wrap(MemoryGateway())
    with pytest.raises(CacheConfigError):
        cache.wrap(gateway)
