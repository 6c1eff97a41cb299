"""The scripts for tags: several writers, each with its own end of time by the server's clock."""

import struct
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis as Client

from cache_drivers.redis import RedisDriver
from cache_drivers.redis.scripts import ADD, BEGIN, END
from tests.servers import Redis

HOUR = 3_600_000


@pytest.fixture
def client(server: Redis) -> Iterator[Client]:
    with server.client() as made:
        yield made


def entry(deadline: float, token: bytes) -> bytes:
    return struct.pack(">dH", deadline, len(token)) + token


def tokens(value: object) -> dict[bytes, float]:
    """Read a tag in flux, strictly."""
    assert isinstance(value, bytes)
    assert value[:1] == b"f"
    found, at = {}, 1
    while at < len(value):
        deadline, size = struct.unpack_from(">dH", value, at)
        found[value[at + 10 : at + 10 + size]] = deadline
        at += 10 + size
    assert at == len(value)
    return found


def now_ms(client: Client) -> float:
    seconds, microseconds = client.time()
    return seconds * 1000 + microseconds // 1000


async def test_key_of_a_tag_in_flux_lives_as_long_as_the_longest_of_its_writers(driver: RedisDriver, client: Client):
    await driver.tags_begin(["tag"], b"long", flux_ms=50_000)
    await driver.tags_begin(["tag"], b"short", flux_ms=1_000)
    assert 49_000 < client.pttl("tag") <= 50_000
    await driver.tags_end(["tag"], b"long", stamp_ttl_ms=HOUR)
    assert 0 < client.pttl("tag") <= 1_000


async def test_writers_are_kept_in_the_value_with_their_deadlines(driver: RedisDriver, client: Client):
    await driver.tags_begin(["tag"], b"a", flux_ms=1_000)
    await driver.tags_begin(["tag"], b"\x00f\xff", flux_ms=2_000)
    await driver.tags_begin(["tag"], b"", flux_ms=3_000)
    left = {token: deadline - now_ms(client) for token, deadline in tokens(client.get("tag")).items()}
    assert {token: round(each, -3) for token, each in left.items()} == {b"a": 1000, b"\x00f\xff": 2000, b"": 3000}


async def test_writer_that_begins_again_has_more_time_and_one_entry(driver: RedisDriver, client: Client):
    await driver.tags_begin(["tag"], b"a", flux_ms=1_000)
    await driver.tags_begin(["tag"], b"a", flux_ms=90_000)
    assert client.pttl("tag") > 80_000
    assert list(tokens(client.get("tag"))) == [b"a"]
    await driver.tags_begin(["tag"], b"a", flux_ms=1_000)
    assert client.pttl("tag") <= 1_000


async def test_dead_writers_are_forgotten_though_the_key_lives(driver: RedisDriver, client: Client):
    dead, live = entry(now_ms(client) - 1, b"dead"), entry(now_ms(client) + 50_000, b"live")
    client.set("tag", b"f" + dead + live, px=HOUR)
    await driver.tags_begin(["tag"], b"own", flux_ms=1_000)
    assert set(tokens(client.get("tag"))) == {b"live", b"own"}
    client.set("tag", b"f" + dead, px=HOUR)
    await driver.tags_end(["tag"], b"own", stamp_ttl_ms=HOUR)
    assert str(client.get("tag")).startswith("b's")
    assert client.pttl("tag") > HOUR - 1_000


async def test_stamp_has_twelve_bytes_of_chance(driver: RedisDriver):
    tags = [f"tag{number}" for number in range(300)]
    await driver.tags_end(tags, b"writer", stamp_ttl_ms=HOUR)
    stamps = await driver.get_many(tags)
    assert {len(stamp or b"") for stamp in stamps} == {13}
    assert len(set(stamps)) == 300


async def test_tag_that_is_named_twice_is_one(driver: RedisDriver):
    await driver.tags_begin(["tag", "tag"], b"writer", flux_ms=HOUR)
    await driver.tags_end(["tag", "tag"], b"writer", stamp_ttl_ms=HOUR)
    assert ((await driver.get("tag")) or b"")[:1] == b"s"


async def test_times_that_are_longer_than_any_are_cut(driver: RedisDriver, client: Client):
    await driver.tags_begin(["tag"], b"writer", flux_ms=10**30)
    await driver.tags_end(["other"], b"writer", stamp_ttl_ms=10**30)
    await driver.set("key", b"1", ttl_ms=10**30)
    await driver.add("added", b"1", ttl_ms=10**30)
    assert {client.pttl(key) // 10**9 for key in ("tag", "other", "key", "added")} == {3153}


@pytest.fixture
async def direct(server: Redis) -> AsyncIterator[RedisDriver]:
    made = RedisDriver(server.url)
    yield made
    await made.aclose()


async def test_scripts_that_the_server_has_forgotten_are_sent_again(direct: RedisDriver, client: Client):
    for _ in range(2):
        client.script_flush()
        await direct.tags_begin(["tag"], b"writer", flux_ms=HOUR)
        client.script_flush()
        await direct.tags_end(["tag"], b"writer", stamp_ttl_ms=HOUR)
        assert client.script_exists(END.digest) == [True]


async def test_call_costs_one_round_trip_once_the_scripts_are_known(direct: RedisDriver, client: Client):
    tags = [f"tag{number}" for number in range(20)]
    for _ in range(2):
        await direct.tags_begin(tags, b"writer", flux_ms=HOUR)
        await direct.tags_end(tags, b"writer", stamp_ttl_ms=HOUR)
        before = client.info("stats")["total_commands_processed"]
        await direct.tags_begin(tags, b"writer", flux_ms=HOUR)
        calls = client.info("commandstats")["cmdstat_evalsha"]["calls"]
        await direct.tags_end(tags, b"writer", stamp_ttl_ms=HOUR)
        assert client.info("commandstats")["cmdstat_evalsha"]["calls"] == calls + 1
        assert client.info("stats")["total_commands_processed"] > before


@pytest.mark.parametrize("script", [BEGIN, END, ADD], ids=["begin", "end", "add"])
def test_digest_is_the_one_that_the_server_computes(script: Any, client: Client):
    assert client.script_load(script.source) == script.digest


async def test_server_without_set_nx_get_adds_by_a_script(direct: RedisDriver, client: Client):
    direct._adds_by_script = True
    assert await direct.add("key", b"1", ttl_ms=HOUR) is None
    assert await direct.add("key", b"2", ttl_ms=HOUR) == b"1"
    client.rpush("list", "x")
    assert await direct.add("list", b"1", ttl_ms=HOUR) is None
    assert await direct.get("list") == b"1"
    assert 0 < client.pttl("key") <= HOUR


async def test_add_puts_a_value_in_the_place_of_what_is_none(direct: RedisDriver, client: Client):
    client.rpush("list", "x")
    client.hset("hash", "x", "y")
    assert await direct.add("list", b"1", ttl_ms=HOUR) is None
    assert await direct.add("hash", b"", ttl_ms=HOUR) is None
    assert await direct.get_many(["list", "hash"]) == [b"1", b""]
    assert not direct._adds_by_script


@settings(max_examples=25)
@given(values=st.lists(st.binary(max_size=60).map(lambda rest: b"f" + rest), min_size=1, max_size=20))
def test_tag_in_flux_that_cannot_be_read_gives_way_to_writers(lasting_redis: Redis, values: list[bytes]):
    with lasting_redis.client() as client:
        client.delete("tag")
        for value in values:
            client.set("tag", value, px=HOUR)
            client.eval(BEGIN.source, 1, "tag", b"own", 1000)
            begun = tokens(client.get("tag"))
            assert begun[b"own"] > 0
            client.set("tag", value, px=HOUR)
            client.eval(END.source, 1, "tag", b"own", 1000, b"fresh")
            assert client.get("tag") == b"sfresh" or set(tokens(client.get("tag"))) <= set(begun)


writers = st.sampled_from([b"a", b"b", b"c"])
steps = st.lists(st.tuples(st.sampled_from(["begin", "end", "lose"]), writers), max_size=15)


@settings(max_examples=40)
@given(steps=steps)
def test_tag_is_in_flux_while_a_writer_has_not_ended(lasting_redis: Redis, steps: list[tuple[str, bytes]]):
    begun: set[bytes] = set()
    number = 0
    with lasting_redis.client() as client:
        client.delete("tag")
        for step, token in steps:
            number += 1
            match step:
                case "begin":
                    client.eval(BEGIN.source, 1, "tag", token, HOUR)
                    begun.add(token)
                case "end":
                    client.eval(END.source, 1, "tag", token, HOUR, b"stamp%d" % number)
                    begun.discard(token)
                    if not begun:
                        assert client.get("tag") == b"sstamp%d" % number
                case _:
                    client.delete("tag")
                    begun.clear()
            value = client.get("tag")
            assert set(tokens(value)) == begun if begun else value is None or value[:1] == b"s"
