"""Reads through a cache from any source."""

import dataclasses
import datetime as dt
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

import anyio
import anyio.lowlevel
import attrs
import msgspec
import pydantic
import pytest

from cache_drivers.memory import MemoryDriver
from mapper.cache import Cache, CachePolicy, ReadThrough
from mapper.cache.values import returned_by, value_codec
from mapper.errors import CacheConfigError, CacheMiss

pytestmark = pytest.mark.feature("C1", "C2")


@attrs.frozen
class User:
    id: int
    name: str


@dataclasses.dataclass(frozen=True)
class Card:
    id: int
    seen: dt.datetime
    tags: list[str]


class Point(NamedTuple):
    x: int
    y: float


class Note(msgspec.Struct):
    id: UUID
    text: str | None = None


class Model(pydantic.BaseModel):
    id: int
    names: dict[str, list[int]]


class Strange:
    """A class that nobody knows."""


class Users:
    """A source of users that counts its calls."""

    def __init__(self) -> None:
        self.rows = {1: User(1, "Ada"), 2: User(2, "Bob")}
        self.calls: list[Any] = []

    async def one(self, key: int) -> User | None:
        self.calls.append(key)
        await anyio.lowlevel.checkpoint()
        return self.rows.get(key)

    async def many(self, keys: Sequence[int]) -> dict[int, User]:
        self.calls.append(list(keys))
        return {each: self.rows[each] for each in keys if each in self.rows}

    async def listed(self, keys: Sequence[int]) -> list[User | None]:
        self.calls.append(list(keys))
        return [self.rows.get(each) for each in keys]

    def taken(self) -> list[Any]:
        found, self.calls = self.calls, []
        return found


@pytest.fixture
def cache() -> Cache:
    return Cache(MemoryDriver(), namespace="through")


@pytest.fixture
def source() -> Users:
    return Users()


async def test_value_is_read_once_and_again_behind_its_invalidation(cache: Cache, source: Users):
    users = ReadThrough(cache, prefix="user", fetch=source.one, key=lambda user: user.id)
    assert await users.get(1) == await users.get(1) == User(1, "Ada")
    assert source.taken() == [1]
    await users.get(2)
    source.rows[1] = User(1, "Eve")
    await users.invalidate(source.rows[1])
    assert await users.get(1) == User(1, "Eve")
    await users.get(2)
    assert source.taken() == [2, 1]
    await users.invalidate()
    await users.get(2)
    assert source.taken() == [2]


async def test_absent_value_is_kept_as_absent(cache: Cache, source: Users):
    users = ReadThrough(cache, prefix="user", fetch=source.one)
    assert await users.get(9) is None
    assert await users.get(9) is None
    assert source.taken() == [9]


@pytest.mark.parametrize("how", [None, "many", "listed"])
async def test_many_values_are_read_in_order_and_only_those_that_are_missing(
    cache: Cache, source: Users, how: str | None
):
    users = ReadThrough(
        cache, prefix="user", fetch=source.one, fetch_many=None if how is None else getattr(source, how)
    )
    await users.get(1)
    source.taken()
    assert await users.get_many([2, 9, 1, 2]) == [User(2, "Bob"), None, User(1, "Ada"), User(2, "Bob")]
    asked = source.taken()
    assert sorted(asked) == [2, 9] if how is None else asked == [[2, 9]]
    assert await users.get_many([2, 9]) == [User(2, "Bob"), None]
    assert source.taken() == []
    assert await users.get_many([]) == []


async def test_changing_marks_before_and_reads_anew_behind(cache: Cache, source: Users):
    users = ReadThrough(cache, prefix="user", fetch=source.one)
    await users.get(1)
    async with users.changing(1):
        await users.get(1)
        source.rows[1] = User(1, "Eve")
    assert await users.get(1) == User(1, "Eve")
    with pytest.raises(ZeroDivisionError):
        async with users.changing(1):
            source.rows[1] = User(1, "Flo")
            raise ZeroDivisionError
    assert await users.get(1) == User(1, "Flo")


VALUES: dict[str, Any] = {
    "attrs": (User, User(1, "é")),
    "dataclass": (Card, Card(1, dt.datetime(2024, 1, 2, tzinfo=dt.UTC), ["a"])),
    "named tuple": (Point, Point(1, 2.5)),
    "struct": (Note, Note(UUID(int=1))),
    "pydantic": (Model, Model(id=1, names={"a": [1]})),
    "list": (list[User], [User(1, "a"), User(2, "b")]),
    "union": (User | None, User(1, "a")),
    "text": (str, "text"),
    "plain": (None, {"a": [1, None, (2, dt.date(2024, 1, 2))]}),
}


@pytest.mark.parametrize("name", VALUES)
async def test_value_of_a_known_class_comes_back_as_another_object(cache: Cache, name: str):
    kind, value = VALUES[name]
    calls: list[int] = []

    async def fetch(key: int) -> Any:
        calls.append(key)
        return value

    values: ReadThrough[int, Any] = ReadThrough(cache, prefix="v", fetch=fetch, type=kind)
    assert await values.get(1) is value
    kept = await values.get(1)
    assert (kept, type(kept)) == (value, type(value))
    assert calls == [1]
    assert name == "text" or kept is not value


async def test_functions_of_ones_own_keep_any_class(cache: Cache):
    async def fetch(key: int) -> complex:
        calls.append(key)
        return complex(key, 1)

    calls: list[int] = []
    values = ReadThrough(
        cache,
        prefix="c",
        fetch=fetch,
        encode=lambda value: str(value).encode(),
        decode=lambda data: complex(data.decode()),
    )
    assert await values.get(2) == await values.get(2) == complex(2, 1)
    assert calls == [2]


@pytest.mark.parametrize("kind", [Strange, list[Strange], dict[str, Strange], User | Card | Note])
def test_class_that_cannot_be_kept_is_refused_when_the_source_is_declared(cache: Cache, kind: Any):
    async def fetch(key: int) -> Any: ...

    with pytest.raises(CacheConfigError):
        ReadThrough(cache, prefix="strange", fetch=fetch, type=kind)


async def test_value_of_another_class_than_declared_is_handed_on_and_not_kept(cache: Cache):
    async def fetch(key: int) -> Any:
        return User(key, "Ada")

    values: ReadThrough[int, Any] = ReadThrough(cache, prefix="v", fetch=fetch, type=Card)
    assert await values.get(1) == await values.get(1) == User(1, "Ada")
    assert cache.stats().reasons["discarded", "type"] == 2


@pytest.mark.parametrize("how", [None, "many"])
async def test_error_of_the_source_is_raised_as_it_is(cache: Cache, how: str | None):
    async def fail(key: Any) -> User:
        raise KeyError("nope")

    users = ReadThrough(cache, prefix="user", fetch=fail, fetch_many=fail if how else None)
    with pytest.raises(KeyError):
        await users.get(1)
    with pytest.raises(KeyError):
        await users.get_many([1, 2, 3])


@pytest.mark.parametrize("key", [object(), lambda: None], ids=["object", "function"])
async def test_key_without_a_name_is_refused(cache: Cache, source: Users, key: Any):
    users = ReadThrough(cache, prefix="user", fetch=source.one)
    with pytest.raises(CacheConfigError):
        await users.get(key)
    with pytest.raises(CacheConfigError):
        await users.get_many([key])


async def test_keys_that_are_equal_in_python_are_told_apart(cache: Cache):
    async def fetch(key: Any) -> str:
        return repr(key)

    values = ReadThrough(cache, prefix="key", fetch=fetch)
    keys: list[Any] = [1, True, 1.0, "1", (1,), ("1", "2"), ("1,2",), b"1", None]
    assert [await values.get(each) for each in keys] == [repr(each) for each in keys]
    assert [await values.get(each) for each in keys] == [repr(each) for each in keys]


async def test_sources_and_namespaces_are_kept_apart():
    driver = MemoryDriver()

    def through(namespace: str, prefix: str, name: str) -> ReadThrough[int, str]:
        async def fetch(key: int) -> str:
            return name

        return ReadThrough(Cache(driver, namespace=namespace), prefix=prefix, fetch=fetch)

    apart = [through("a", "x:", "1"), through("a", "x", "2"), through("b", "x", "3"), through("a", "x*", "4")]
    assert [await each.get(1) for each in apart] == ["1", "2", "3", "4"]
    await apart[0].invalidate()
    assert [await each.get(1) for each in apart] == ["1", "2", "3", "4"]


@pytest.mark.feature("C3")
async def test_modes_are_fresh_refresh_and_bypass(cache: Cache, source: Users):
    users = ReadThrough(cache, prefix="user", fetch=source.one)
    with pytest.raises(CacheMiss):
        await users.get(1, mode="only")
    await users.get(1, mode="off")
    await users.get(1, mode="refresh")
    assert await users.get(1, mode="only") == User(1, "Ada")
    assert source.taken() == [1, 1]


@pytest.mark.feature("C8")
async def test_source_that_is_away_is_asked_again_and_then_stands_aside_for_what_is_kept(cache: Cache):
    failures = 2

    async def fetch(key: int) -> str:
        nonlocal failures
        if failures:
            failures -= 1
            raise ConnectionError
        return "there"

    policy = CachePolicy(ttl=0.001, jitter=0, stale_if_error=60)
    values = ReadThrough(cache, prefix="away", fetch=fetch, retries=2, policy=policy)
    assert await values.get(1) == "there"
    failures = 99
    await anyio.sleep(0.01)
    assert await values.get(1) == "there"


def test_name_of_a_class_tells_of_its_fields_and_not_of_its_place():
    one = attrs.make_class("Thing", {"a": attrs.field(type=int)})
    other = attrs.make_class("Thing", {"a": attrs.field(type=int), "b": attrs.field(type=int)})
    assert value_codec(one).name != value_codec(other).name
    assert value_codec(User | None).name == value_codec(None | User).name


class Away(Exception):
    """What a source of one's own raises when it is away."""


@pytest.mark.feature("C8")
async def test_many_values_are_asked_for_again_after_an_outage_and_no_other_error(cache: Cache, source: Users):
    failures = [Away(), Away(), KeyError("no outage")]

    async def many(keys: Sequence[int]) -> dict[int, User]:
        if failures:
            raise failures.pop(0)
        return await source.many(keys)

    users = ReadThrough(cache, prefix="user", fetch=source.one, fetch_many=many, retries=2, outages=Away)
    with pytest.raises(KeyError):
        await users.get_many([1])
    assert failures == []
    assert await users.get_many([1]) == [User(1, "Ada")]


async def test_source_that_gives_too_few_values_is_told(cache: Cache, source: Users):
    async def few(keys: Sequence[int]) -> list[User]:
        return []

    users = ReadThrough(cache, prefix="user", fetch=source.one, fetch_many=few)
    with pytest.raises(CacheConfigError, match="gave 0 values"):
        await users.get_many([1])


@pytest.mark.parametrize(
    "wrong", [{"prefix": ""}, {"prefix": 1}, {"retries": -1}, {"retries": True}, {"encode": str}], ids=str
)
def test_source_that_cannot_be_is_refused(cache: Cache, source: Users, wrong: dict[str, Any]):
    with pytest.raises(CacheConfigError):
        ReadThrough(cache, **{"prefix": "user", "fetch": source.one, **wrong})


async def nothing(key): ...  # without annotations, on purpose


async def anything(key: int) -> Any: ...


async def perhaps(key: int) -> User | Card | None: ...


@pytest.mark.parametrize(
    ("fetch", "kind"),
    [(nothing, None), (anything, Any), (perhaps, User | Card), (Users().one, User)],
    ids=["-", "any", "or", "one"],
)
def test_type_of_values_is_that_of_the_annotation(fetch: Any, kind: Any):
    assert returned_by(fetch) == kind
