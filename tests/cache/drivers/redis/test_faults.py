"""What goes wrong on the way to Redis: no answer reaches another command's caller, and the next call works."""

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cache_drivers.redis import RedisDriver
from cache_drivers.redis.wire import Lost, Refusal, Wire, packed
from mapper.errors import CacheDriverError, CacheKeyInvalid, CacheProtocolError, CacheTimeout, CacheUnavailable
from tests.servers import Proxy, Redis

CANCELLATIONS = 2000


@pytest.mark.feature("V1")
async def test_calls_cancelled_at_random_leave_no_answer_to_others(server: Redis):
    chance = random.Random(6)
    driver = RedisDriver(server.url, max_connections=4)
    keys = [f"key{number}" for number in range(50)]
    await driver.set_many([(key, key.encode() * chance.randrange(1, 200), 60_000) for key in keys])
    values = dict(zip(keys, await driver.get_many(keys), strict=True))
    cancelled = wrong = right = 0

    async def read() -> bool:
        wanted = chance.sample(keys, chance.randrange(1, 6))
        return await driver.get_many(wanted) == [values[key] for key in wanted]

    async def judge(task: "asyncio.Task[bool]") -> None:
        nonlocal cancelled, wrong, right
        try:
            good = await task
        except asyncio.CancelledError:
            cancelled += 1
        else:
            right, wrong = right + good, wrong + (not good)

    while cancelled < CANCELLATIONS:
        tasks = [asyncio.create_task(read()) for _ in range(20)]
        victims = chance.sample(tasks, 12)
        for _ in range(chance.randrange(6)):
            await asyncio.sleep(0)
        if chance.random() < 0.5:
            await asyncio.sleep(chance.random() * 0.001)
        for victim in victims:
            victim.cancel()
        for task in tasks:
            await judge(task)
    assert wrong == 0
    assert right > 500
    await driver.aclose()


async def test_connection_of_a_call_that_was_cancelled_is_closed(proxy: Proxy, driver: RedisDriver):
    await driver.ping()
    proxy.stall("client")
    task = asyncio.create_task(driver.get("key"))
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    proxy.resume()
    await driver.ping()
    assert (proxy.accepted, driver.connections_made) == (2, 2)


async def test_connection_of_a_call_that_timed_out_is_closed(proxy: Proxy, driver: RedisDriver):
    await driver.set("key", b"1", ttl_ms=10_000)
    proxy.stall("client")
    with pytest.raises(CacheTimeout, match=r"within 0\.2 s"):
        await driver.get("key")
    proxy.resume()
    assert await driver.get("other") is None
    assert driver.connections_made == 2


async def test_call_that_is_cancelled_while_it_connects_leaves_the_connection_to_the_next(
    proxy: Proxy, driver: RedisDriver
):
    proxy.stall("server")
    task = asyncio.create_task(driver.get("key"))
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    proxy.resume()
    assert await driver.get("key") is None
    assert driver.connections_made == 1


async def test_first_call_after_a_restart_works(server: Redis):
    driver = RedisDriver(server.url)
    await asyncio.gather(*(driver.get("key") for _ in range(10)))
    before = await driver.identity()
    for _ in range(2):
        server.kill()
        server.start()
        made = driver.connections_made
        assert await driver.get("key") is None
        assert driver.connections_made > made
    assert await driver.identity() != before
    await driver.aclose()


async def test_call_whose_connection_is_dropped_before_its_answer_is_made_again(proxy: Proxy, driver: RedisDriver):
    await driver.set("key", b"1", ttl_ms=10_000)
    proxy.drop_at(b"MGET")
    assert await driver.get("key") == b"1"
    assert driver.connections_made == 2


async def test_call_on_a_new_connection_that_is_dropped_fails(proxy: Proxy, driver: RedisDriver):
    await driver.ping()
    await proxy.drop()
    proxy.drop_at(b"MGET")
    with pytest.raises(CacheUnavailable):
        await driver.get("key")
    assert await driver.get("key") is None


async def test_connection_on_which_something_comes_unasked_is_used_no_more():
    replies = [b"$1\r\na\r\n", b"+OK\r\n$5\r\nwrong\r\n", b"$1\r\nb\r\n"]

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            writer.write(replies.pop(0))
        writer.close()

    async with await asyncio.start_server(take, "127.0.0.1", 0) as listening:
        _, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
        wire = Wire(writer, timeout=1)
        assert await wire.exchange(packed("GET", "a")) == [b"a"]
        with pytest.raises(CacheProtocolError, match="more than it was asked"):
            await wire.exchange(packed("SET", "a", "b"))
        assert wire.closed
        with pytest.raises(Lost):
            await wire.exchange(packed("GET", "b"))
        await wire.aclose()


@settings(max_examples=60)
@given(data=st.binary(min_size=1, max_size=40), cut=st.integers(0, 40))
def test_garbage_is_an_error_or_replies_and_never_anything_else(data: bytes, cut: int):
    async def exchanged() -> None:
        async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1000)
            writer.write(data[:cut])
            writer.write(data[cut:])
            writer.close()

        async with await asyncio.start_server(take, "127.0.0.1", 0) as listening:
            _, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
            wire = Wire(writer, timeout=0.5)
            try:
                replies = await wire.exchange(packed("MGET", "a", "b"))
                assert len(replies) == 1
            except (CacheProtocolError, Lost):
                assert wire.closed
            await wire.aclose()

    asyncio.run(exchanged())


async def test_server_that_has_no_memory_refuses_values_and_changes_tags(server: Redis, driver: RedisDriver):
    await driver.set_many([("kept", b"1", 60_000), ("tag", b"s-old", 60_000)])
    with server.client() as client:
        client.config_set("maxmemory", 1)
    assert await driver.set("more", b"1", ttl_ms=60_000) is False
    assert await driver.set_many([("more", b"1", 60_000), ("most", b"1", 60_000)]) == 0
    assert await driver.add("kept", b"2", ttl_ms=60_000) == b"1"
    with pytest.raises(CacheUnavailable, match="OOM"):
        await driver.add("more", b"1", ttl_ms=60_000)
    await driver.tags_begin(["tag", "new"], b"writer", flux_ms=60_000)
    assert [(value or b"")[:1] for value in await driver.get_many(["tag", "new"])] == [b"f", b"f"]
    await driver.tags_end(["tag", "new"], b"writer", stamp_ttl_ms=60_000)
    assert [(value or b"")[:1] for value in await driver.get_many(["tag", "new"])] == [b"s", b"s"]
    assert await driver.delete_many(["kept", "tag", "new"]) == 3


async def test_server_that_is_slow_over_many_tasks_gives_each_its_own_answer_or_none(proxy: Proxy, driver: RedisDriver):
    keys = [f"key{number}" for number in range(40)]
    await driver.set_many([(key, key.encode(), 60_000) for key in keys])
    proxy.delay = 0.08
    results = await asyncio.gather(*(driver.get(key) for key in keys), return_exceptions=True)
    proxy.delay = 0
    for key, result in zip(keys, results, strict=True):
        assert result == key.encode() or isinstance(result, CacheDriverError)


async def test_driver_that_is_closed_lets_calls_end(proxy: Proxy, driver: RedisDriver):
    await driver.set("key", b"1", ttl_ms=10_000)
    proxy.delay = 0.02
    call = asyncio.create_task(driver.get("key"))
    await asyncio.sleep(0.01)
    await driver.aclose()
    assert await call == b"1"
    proxy.delay = 0
    for _ in range(50):
        if not proxy.open:
            break
        await asyncio.sleep(0.01)
    assert proxy.open == 0


@pytest.mark.parametrize(
    ("said", "code", "text"),
    [
        ("OOM command not allowed", "OOM", "command not allowed"),
        ("MOVED 1 127.0.0.1:7000", "MOVED", "1 127.0.0.1:7000"),
        ("unknown", "", ""),
        ("", "", ""),
        ("Some text", "", "text"),
    ],
)
def test_refusal_has_a_code_where_its_first_word_is_one(said: str, code: str, text: str):
    assert (Refusal(said).code, Refusal(said).text) == (code, text)


# -- look-ups with a time of their own ---------------------------------------------------------------------------------


async def test_prompt_look_up_needs_a_connection_that_is_there(driver: RedisDriver):
    assert await driver.get_many_within(["key"], 1.0) is None
    assert driver.connections_made == 0
    await driver.set("key", b"1", ttl_ms=10_000)
    assert await driver.get_many_within(["key", "other", "key"], 1.0) == [b"1", None, b"1"]
    assert driver.connections_made == 1


async def test_prompt_look_up_waits_for_no_connection_of_others(proxy: Proxy):
    driver = RedisDriver(f"redis://127.0.0.1:{proxy.port}", max_connections=1)
    await driver.ping()
    proxy.stall("client")
    task = asyncio.create_task(driver.get("key"))
    await asyncio.sleep(0.01)
    assert await driver.get_many_within(["key"], 1.0) is None
    proxy.resume()
    assert await task is None
    assert await driver.get_many_within(["key"], 1.0) == [None]
    await driver.aclose()


async def test_prompt_look_up_ends_in_its_own_time_and_closes_its_connection(proxy: Proxy, driver: RedisDriver):
    loop = asyncio.get_running_loop()
    await driver.set("key", b"1", ttl_ms=10_000)
    proxy.stall("client")
    began = loop.time()
    with pytest.raises(TimeoutError):
        await driver.get_many_within(["key"], 0.05)
    assert 0.045 < loop.time() - began < 0.15
    proxy.resume()
    assert await driver.get_many_within(["key"], 0.05) is None, "the connection is closed"
    assert await driver.get("key") == b"1"
    assert driver.connections_made == 2


async def test_prompt_look_up_never_takes_longer_than_a_command(proxy: Proxy, driver: RedisDriver):
    await driver.ping()
    proxy.stall("client")
    with pytest.raises(CacheTimeout, match=r"within 0\.2 s"):
        await driver.get_many_within(["key"], 30.0)


async def test_prompt_look_up_on_a_connection_that_has_ended_is_none(server: Redis, driver: RedisDriver):
    await driver.set("key", b"1", ttl_ms=10_000)
    with server.client() as client:
        client.client_kill_filter(_type="normal", skipme=True)
    assert await driver.get_many_within(["key"], 1.0) is None
    assert await driver.get("key") == b"1"


async def test_prompt_look_up_refuses_keys_as_every_other(driver: RedisDriver):
    await driver.ping()
    for wrong in ("", "a b", "ü", "x" * 1025):
        with pytest.raises(CacheKeyInvalid):
            await driver.get_many_within(["key", wrong], 1.0)
    assert await driver.get_many_within(["x" * 1024] * 2, 1.0) == [None, None]


async def test_command_has_its_whole_time_whatever_ran_before(proxy: Proxy, driver: RedisDriver):
    loop = asyncio.get_running_loop()
    await driver.ping()
    await driver.get_many_within(["key"], 0.1)
    await asyncio.sleep(0.08)
    proxy.stall("client")
    began = loop.time()
    with pytest.raises(CacheTimeout, match=r"within 0\.2 s"):
        await driver.get("key")
    assert 0.19 < loop.time() - began < 0.35


async def test_idle_connection_outlives_the_time_of_its_last_command(proxy: Proxy, driver: RedisDriver):
    await driver.ping()
    await asyncio.sleep(0.3)
    await driver.ping()
    assert (proxy.accepted, driver.connections_made) == (1, 1)
