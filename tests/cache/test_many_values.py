"""`ReadThrough` for one value and for many at once, read one by one, as a list, or as a mapping: the same for all."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import attrs
import msgspec
import pytest

from cache_drivers.memory import MemoryDriver
from mapper import Cache, CacheConfigError, CacheMiss, CachePolicy, ReadThrough
from mapper.cache import CacheEvent

pytestmark = pytest.mark.feature("C1")


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def cache(clock: Clock) -> AsyncIterator[Cache]:
    policy = CachePolicy(ttl=60, stale_if_error=600, jitter=0)
    async with Cache(MemoryDriver(clock=clock), namespace="test", policy=policy, clock=clock, now=clock) as made:
        yield made


@attrs.frozen
class User:
    id: int
    name: str


class Away(Exception):
    """The source does not answer."""


class Source:
    """Users, and what was asked of them; it fails as often as `failures` says."""

    def __init__(self, *users: User) -> None:
        self.users = {each.id: each for each in users}
        self.asked: list[Any] = []
        self.failures = 0
        self.error: type[Exception] = Away

    async def one(self, key: int) -> User | None:
        self._ask(key)
        return self.users.get(key)

    async def many(self, keys: Sequence[int]) -> list[User | None]:
        self._ask(list(keys))
        return [self.users.get(each) for each in keys]

    async def mapping(self, keys: Sequence[int]) -> Mapping[int, User]:
        self._ask(list(keys))
        return {each: self.users[each] for each in keys if each in self.users}

    def _ask(self, asked: object) -> None:
        self.asked.append(asked)
        if self.failures:
            self.failures -= 1
            raise self.error("away")


ANN, BOB, ADA = User(1, "ann"), User(2, "bob"), User(1, "ada")


@pytest.fixture
def source() -> Source:
    return Source(ANN, BOB)


@pytest.fixture(params=["one by one", "in order", "as a mapping"])
def users(request: pytest.FixtureRequest, cache: Cache, source: Source) -> ReadThrough[int, User]:
    many: Any = {"one by one": None, "in order": source.many, "as a mapping": source.mapping}[request.param]
    return ReadThrough(cache, prefix="user", fetch=source.one, fetch_many=many, key=lambda user: user.id, outages=Away)


async def test_many_come_in_order_with_duplicates_and_absent_ones(users: ReadThrough[int, User], source: Source):
    assert await users.get_many([2, 1, 9, 2]) == [BOB, ANN, None, BOB]
    source.asked.clear()
    assert await users.get_many([9, 2, 1]) == [None, BOB, ANN]
    assert await users.get(2) == BOB
    assert source.asked == []


async def test_many_of_none_ask_nobody(users: ReadThrough[int, User], source: Source):
    assert await users.get_many([]) == []
    assert source.asked == []


@pytest.mark.feature("C3")
async def test_refresh_reads_anew_and_keeps(users: ReadThrough[int, User], source: Source):
    await users.get_many([1, 2])
    source.users[1] = ADA
    assert await users.get(1) == ANN
    assert await users.get(1, mode="refresh") == ADA
    assert await users.get(1) == ADA
    source.users[2] = ben = User(2, "ben")
    assert await users.get_many([1, 2], mode="refresh") == [ADA, ben]
    assert await users.get_many([1, 2]) == [ADA, ben]


@pytest.mark.feature("C3")
async def test_off_reads_anew_and_leaves_what_is_kept(users: ReadThrough[int, User], source: Source):
    await users.get_many([1, 2])
    source.users[1] = ADA
    assert await users.get(1, mode="off") == ADA
    assert await users.get_many([1, 2], mode="off") == [ADA, BOB]
    assert await users.get_many([1, 2]) == [ANN, BOB]


@pytest.mark.feature("C3")
async def test_only_serves_what_is_kept_and_reads_nothing(users: ReadThrough[int, User], source: Source):
    await users.get(1)
    source.asked.clear()
    assert await users.get(1, mode="only") == ANN
    assert await users.get_many([1], mode="only") == [ANN]
    with pytest.raises(CacheMiss, match="absent"):
        await users.get(2, mode="only")
    with pytest.raises(CacheMiss, match="absent"):
        await users.get_many([1, 2], mode="only")
    assert source.asked == []


async def test_mode_that_is_none_is_refused(users: ReadThrough[int, User]):
    wrong: Any = "fresh"
    for read in (lambda: users.get(1, mode=wrong), lambda: users.get_many([1], mode=wrong)):
        with pytest.raises(CacheConfigError, match="expected one of"):
            await read()


@pytest.mark.parametrize("changed", [(1,), (ANN,), ()])
async def test_invalidation_by_key_by_value_and_of_all(
    users: ReadThrough[int, User], source: Source, changed: tuple[Any, ...]
):
    await users.get_many([1, 2])
    source.asked.clear()
    await users.invalidate(*changed)
    source.users[1] = ADA
    assert await users.get_many([1, 2]) == [ADA, BOB]
    asked = {each for one in source.asked for each in (one if isinstance(one, list) else [one])}
    assert asked == ({1} if changed else {1, 2})


async def test_value_being_changed_is_neither_served_nor_kept(users: ReadThrough[int, User], source: Source):
    await users.get_many([1, 2])
    async with users.changing(ANN):
        source.users[1] = ADA
        assert await users.get_many([1, 2]) == [ADA, BOB]
        assert await users.get(1) == ADA
    source.asked.clear()
    assert await users.get_many([1, 2]) == [ADA, BOB]
    assert source.asked in ([1], [[1]])


@pytest.mark.feature("C8")
async def test_outage_is_bridged_by_what_is_kept_unless_it_was_changed(
    users: ReadThrough[int, User], source: Source, clock: Clock
):
    await users.get_many([1, 2])
    clock.now += 61
    source.failures = 99
    assert await users.get_many([1, 2]) == [ANN, BOB]
    assert await users.get(1) == ANN
    await users.invalidate(1)
    with pytest.raises(Away):
        await users.get(1)
    with pytest.raises(Away):
        await users.get_many([2, 1])


async def test_error_that_is_no_outage_is_raised_as_it_is(users: ReadThrough[int, User], source: Source, clock: Clock):
    await users.get_many([1, 2])
    clock.now += 61
    source.failures, source.error = 99, ZeroDivisionError
    with pytest.raises(ZeroDivisionError):
        await users.get_many([1, 2])
    with pytest.raises(ZeroDivisionError):
        await users.get(1)


@pytest.mark.feature("C8")
@pytest.mark.parametrize(("retries", "failures"), [(0, 1), (2, 2), (2, 3)])
@pytest.mark.parametrize("many", [False, True])
async def test_outage_is_tried_again_as_often_as_said(
    cache: Cache, source: Source, retries: int, failures: int, many: bool
):
    users = ReadThrough(cache, prefix="user", fetch=source.one, fetch_many=source.many, retries=retries, outages=Away)
    source.failures = failures
    try:
        found = await users.get_many([1]) if many else [await users.get(1)]
    except Away:
        found = []
    assert found == ([ANN] if failures <= retries else [])
    assert len(source.asked) == min(retries, failures) + 1


async def test_values_of_another_number_than_keys_are_an_error(cache: Cache, source: Source):
    async def few(keys: Sequence[int]) -> list[User]:
        return [ANN]

    users = ReadThrough(cache, prefix="user", fetch=source.one, fetch_many=few)
    with pytest.raises(CacheConfigError, match="gave 1 values for 2 keys"):
        await users.get_many([1, 2])


async def test_value_of_a_class_with_other_fields_is_not_read(cache: Cache):
    """As of two deployments: the class has the same name, and one field more."""

    def deployed(*fields: str) -> Any:
        return msgspec.defstruct("Deployed", [(each, str, "") for each in fields], module=__name__)

    for known in (deployed("a"), deployed("a", "b"), deployed("a")):

        async def fetch(key: int, known: Any = known) -> Any:
            return known(*"xy"[: len(known.__struct_fields__)])

        read = await ReadThrough(cache, prefix="value", fetch=fetch, type=known).get(1)
        assert read == await fetch(1)
    assert (cache.stats().misses, cache.stats().hits) == (2, 1)


async def test_value_that_cannot_be_decoded_is_read_anew(cache: Cache, source: Source):
    broken = False

    def decode(data: bytes) -> User:
        if broken:
            raise KeyError("broken")
        return msgspec.json.decode(data, type=User)

    users = ReadThrough(
        cache, prefix="user", fetch=source.one, fetch_many=source.many, encode=msgspec.json.encode, decode=decode
    )
    await users.get(1)
    broken = True
    assert await users.get_many([1]) == [ANN]
    assert await users.get(1) == ANN
    assert cache.stats().reasons["miss", "corrupt"] >= 1


async def test_events_name_the_source_and_no_key(cache: Cache, source: Source):
    events: list[CacheEvent] = []
    cache.subscribe(events.append)
    users = ReadThrough(cache, prefix="user", fetch=source.one, fetch_many=source.many)
    for _ in range(2):
        await users.get_many([1, 9])
    assert [each.kind for each in events] == ["miss", "miss", "fill", "fill", "hit", "hit"]
    assert {each.relations for each in events} == {("user",)}
    assert "ann" not in repr(events)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prefix": ""}, "prefix"),
        ({"prefix": 3}, "prefix"),
        ({"retries": -1}, "retries"),
        ({"retries": True}, "retries"),
    ],
)
async def test_argument_that_is_wrong_is_refused(cache: Cache, source: Source, arguments: Any, message: str):
    with pytest.raises(CacheConfigError, match=message):
        ReadThrough(cache, **{"prefix": "user", "fetch": source.one, **arguments})
