"""Connecting to Redis: whatever the URL or client says, as few connections as are needed, and no word of passwords."""

import asyncio
import importlib
import ssl
import subprocess
import sys
import traceback
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import redis.asyncio
import trustme

from cache_drivers.redis import RedisDriver
from mapper.cache.driver import Reconnecting
from mapper.errors import CacheConfigError, CacheDriverError, CacheProtocolError, CacheTimeout, CacheUnavailable
from tests.servers import Proxy, Redis

PASSWORD = "open-sesame"


@pytest.fixture(scope="module")
def locked() -> Iterator[Redis]:
    """A server with a password, and a user who may use keys and nothing else; on a socket of its own too."""
    server = Redis.launch()
    with server.client() as client:
        client.config_set("requirepass", PASSWORD)
        client.execute_command("ACL", "SETUSER", "few", "on", f">{PASSWORD}", "~*", "+@read", "+@write", "+@scripting")
    yield server
    server.stop()


async def works(driver: RedisDriver) -> None:
    await driver.set("key", b"value", ttl_ms=10_000)
    assert await driver.get_many(["key", "other"]) == [b"value", None]
    await driver.delete("key")
    await driver.aclose()


async def failure(driver: RedisDriver) -> CacheDriverError:
    with pytest.raises(CacheDriverError) as caught:
        await driver.get("key")
    await driver.aclose()
    return caught.value


async def test_driver_of_a_url_with_a_password_logs_in(locked: Redis):
    await works(RedisDriver(f"redis://:{PASSWORD}@127.0.0.1:{locked.port}/0"))


async def test_driver_selects_the_database_of_its_url(server: Redis):
    driver = RedisDriver(f"redis://127.0.0.1:{server.port}/3")
    await driver.set("key", b"1", ttl_ms=10_000)
    with server.client() as client:
        assert client.info("keyspace")["db3"]["keys"] == 1
    await driver.aclose()


async def test_driver_of_a_user_who_may_not_ask_for_facts_keeps_values(locked: Redis):
    await works(RedisDriver(f"redis://few:{PASSWORD}@127.0.0.1:{locked.port}/0"))


async def test_driver_of_a_user_who_may_not_ask_for_facts_has_no_identity(locked: Redis):
    driver = RedisDriver(f"redis://few:{PASSWORD}@127.0.0.1:{locked.port}/0")
    with pytest.raises(CacheUnavailable, match="NOPERM"):
        await driver.identity()
    await driver.aclose()


COMMANDS = "mget set unlink scan del get eval evalsha time ping info client"
"""What the how-to says that a user of its own needs on one server."""


async def test_driver_of_a_user_with_the_commands_of_the_guide_does_everything(locked: Redis):
    with redis.Redis(port=locked.port, password=PASSWORD) as client:
        allowed = [f"+{command}" for command in COMMANDS.split()]
        client.execute_command("ACL", "SETUSER", "cache", "on", f">{PASSWORD}", "~shop:*", *allowed)
    driver = RedisDriver(f"redis://cache:{PASSWORD}@127.0.0.1:{locked.port}/0")
    await driver.ping()
    assert len(await driver.identity()) > 20
    stop = await driver.follow(["shop:"], lambda keys: None)
    assert driver.following
    await stop()
    assert await driver.add("shop:key", b"1", ttl_ms=10_000) is None
    assert await driver.set_many([("shop:key", b"2", 10_000), ("shop:other", b"2", 10_000)]) == 2
    assert await driver.get_many(["shop:key"]) == [b"2"]
    assert await driver.delete("shop:key")
    await driver.tags_begin(["shop:tag"], b"writer", flux_ms=10_000)
    await driver.tags_end(["shop:tag"], b"writer", stamp_ttl_ms=10_000)
    assert await driver.clear("shop:") == 2
    with pytest.raises(CacheUnavailable, match="NOPERM"):
        await driver.get("stock:key")
    await driver.aclose()


def test_password_is_in_no_representation():
    driver = RedisDriver(f"redis://one:{PASSWORD}@127.0.0.1/0")
    assert PASSWORD not in repr(driver) + repr(driver._servers) + repr(vars(driver))


def test_driver_tells_of_new_connections():
    assert isinstance(RedisDriver("redis://127.0.0.1"), Reconnecting)


@pytest.mark.parametrize("user", ["", "few"])
async def test_wrong_password_is_refused_and_not_shown(locked: Redis, user: str):
    driver = RedisDriver(f"redis://{user}:{PASSWORD}-not@127.0.0.1:{locked.port}/0")
    error = await failure(driver)
    assert isinstance(error, CacheUnavailable)
    assert "refuses the login" in str(error)
    assert PASSWORD not in repr(driver) + repr(error) + "".join(traceback.format_exception(error))


async def test_password_is_not_shown_where_the_server_is_away(server: Redis):
    driver = RedisDriver(f"redis://:{PASSWORD}@127.0.0.1:{server.port}/0")
    server.stop()
    error = await failure(driver)
    assert isinstance(error, CacheUnavailable)
    assert PASSWORD not in repr(driver) + repr(error) + "".join(traceback.format_exception(error))


async def test_password_that_the_server_does_not_ask_for_is_not_shown(server: Redis):
    error = await failure(RedisDriver(f"redis://one:{PASSWORD}@127.0.0.1:{server.port}/0"))
    assert PASSWORD not in "".join(traceback.format_exception(error))


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "",
        f"redis://:{PASSWORD}/x@127.0.0.1:6379/0",
        f"redis://:{PASSWORD}@127.0.0.1:port/0",
        f"redis://:{PASSWORD}@127.0.0.1/0?nothing={PASSWORD}",
        "redis://127.0.0.1/0?socket_timeout=soon",
    ],
)
def test_url_that_cannot_be_read_is_refused_without_its_password(url: str):
    with pytest.raises(CacheConfigError) as caught:
        RedisDriver(url)
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("source", [None, 6379, b"redis://127.0.0.1", object()])
def test_source_that_is_neither_url_nor_client_is_refused(source: object):
    with pytest.raises(CacheConfigError, match="expected a URL or a client"):
        RedisDriver(source)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    "wrong",
    [{"connect_timeout": 0}, {"command_timeout": -1}, {"command_timeout": float("nan")}, {"max_connections": 0}],
)
def test_number_that_is_not_positive_is_refused(wrong: dict[str, float]):
    with pytest.raises(CacheConfigError, match=next(iter(wrong))):
        RedisDriver("redis://127.0.0.1", **wrong)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    "settings", [{"protocol": 2}, {"protocol": 3}, {"decode_responses": True}, {"client_name": "shop"}]
)
async def test_client_that_is_given_is_neither_used_nor_closed(server: Redis, settings):
    async with redis.asyncio.from_url(server.url, **settings) as client:
        assert await client.ping()
        connections = list(client.connection_pool._available_connections)
        await works(RedisDriver(client))
        assert list(client.connection_pool._available_connections) == connections
        assert await client.ping()


async def test_driver_reaches_a_server_by_its_socket(tmp_path: Path):
    place = tmp_path / "redis.sock"
    tmp_path.chmod(0o777)
    for parent in list(tmp_path.parents)[:3]:
        parent.chmod(0o755)
    server = Redis.launch("--unixsocket", str(place), "--unixsocketperm", "777")
    await works(RedisDriver(f"unix://{place}"))
    server.stop()


@asynccontextmanager
async def behind_tls(port: int, context: ssl.SSLContext) -> AsyncGenerator[int]:
    """Speak TLS in front of a server; gives a port."""
    tasks: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
        except OSError:
            pass
        writer.close()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, server = await asyncio.open_connection("127.0.0.1", port)
        for each in (pump(reader, server), pump(answers, writer)):
            tasks.add(asyncio.create_task(each))

    listening = await asyncio.start_server(take, "127.0.0.1", 0, ssl=context)
    yield listening.sockets[0].getsockname()[1]
    listening.close()
    await asyncio.gather(*tasks)


async def test_driver_speaks_tls_and_checks_the_certificate(server: Redis, tmp_path: Path):
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    async with behind_tls(server.port, context) as port:
        driver = RedisDriver(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={tmp_path / 'ca.pem'}")
        value = bytes(1 << 20)
        assert await driver.set("large", value, ttl_ms=10_000)
        assert await driver.get("large") == value
        await works(driver)
        assert isinstance(await failure(RedisDriver(f"rediss://127.0.0.1:{port}/0")), CacheUnavailable)


@asynccontextmanager
async def answering(data: bytes) -> AsyncGenerator[str]:
    """What answers everything in the same way; gives its URL."""
    writers = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        while await reader.read(65536):
            writer.write(data)
        writer.close()

    listening = await asyncio.start_server(take, "127.0.0.1", 0)
    yield f"redis://127.0.0.1:{listening.sockets[0].getsockname()[1]}/0"
    listening.close()
    for writer in writers:
        writer.close()


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\xff\xfe\x00\x00",
        b"+OK\r\n" * 10,
        b"*1\r\n$-5\r\n",
        b"$3\r\nabcdef\r\n",
        b"-ERR \xff\xfe\r\n",
        b":99999999999999999999999\r\n",
    ],
)
async def test_what_is_no_redis_is_an_error_of_drivers(data: bytes):
    async with answering(data) as url:
        driver = RedisDriver(url, connect_timeout=0.3, command_timeout=0.2)
        for call in (driver.get("key"), driver.set("key", b"1", ttl_ms=5), driver.identity(), driver.ping()):
            with pytest.raises((CacheProtocolError, CacheUnavailable, CacheTimeout)):
                await call
        await driver.aclose()


async def test_server_that_takes_no_connection_in_time_is_a_timeout(proxy: Proxy, driver: RedisDriver):
    proxy.stall()
    assert isinstance(await failure(driver), CacheTimeout)


async def test_callers_that_come_together_open_one_connection_at_a_time(proxy: Proxy, driver: RedisDriver):
    proxy.stall("server")
    calls = [asyncio.create_task(driver.get("key")) for _ in range(10)]
    await asyncio.sleep(0.02)
    assert proxy.accepted == 1
    proxy.resume()
    assert await asyncio.gather(*calls) == [None] * 10


async def test_callers_that_come_together_are_told_at_once_that_the_server_is_away(proxy: Proxy, driver: RedisDriver):
    proxy.hangs_up = True
    results = await asyncio.gather(*(driver.get("key") for _ in range(10)), return_exceptions=True)
    assert {type(result) for result in results} == {CacheUnavailable}
    assert proxy.accepted == 1


async def test_there_are_no_more_connections_than_allowed(proxy: Proxy):
    driver = RedisDriver(f"redis://127.0.0.1:{proxy.port}", max_connections=3)
    await asyncio.gather(*(driver.set(f"key{number}", bytes(1000), ttl_ms=10_000) for number in range(200)))
    assert 1 <= proxy.open <= 3
    assert driver.connections_made == proxy.accepted
    await driver.aclose()


async def test_caller_that_finds_no_free_connection_times_out(proxy: Proxy):
    driver = RedisDriver(f"redis://127.0.0.1:{proxy.port}", max_connections=1, command_timeout=0.2)
    await driver.ping()
    proxy.stall()
    results = await asyncio.gather(driver.get("a"), driver.get("b"), return_exceptions=True)
    assert [type(result) for result in results] == [CacheTimeout, CacheTimeout]
    proxy.resume()
    assert await driver.get("a") is None
    await driver.aclose()


async def test_nothing_connects_before_the_first_call(proxy: Proxy, driver: RedisDriver):
    assert await driver.get_many([]) == []
    assert driver.info.scope == "shared"
    assert (proxy.accepted, driver.connections_made) == (0, 0)


def test_driver_that_was_closed_works_in_another_event_loop(lasting_redis: Redis):
    if lasting_redis.process is None:
        lasting_redis.start()
    driver = RedisDriver(lasting_redis.url)
    for number in range(3):
        asyncio.run(works(driver))
        assert driver.connections_made == number + 1


def test_connections_of_another_event_loop_are_never_used(lasting_redis: Redis):
    if lasting_redis.process is None:
        lasting_redis.start()
    driver = RedisDriver(lasting_redis.url)
    first = asyncio.new_event_loop()
    first.run_until_complete(driver.set("key", b"1", ttl_ms=10_000))
    pool = driver._first
    asyncio.run(works(driver))
    assert driver.connections_made == 2
    assert pool is not None
    first.run_until_complete(pool.aclose())
    first.close()


def test_package_is_imported_without_the_libraries_of_its_extra():
    code = "import sys, cache_drivers.redis; print(sorted({'redis', 'hiredis'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("name", ["redis", "hiredis"])
def test_driver_without_its_extra_names_what_to_install(name: str, monkeypatch: pytest.MonkeyPatch):
    real = importlib.import_module

    def missing(wanted: str) -> object:
        if wanted.partition(".")[0] == name:
            raise ModuleNotFoundError(name=name)
        return real(wanted)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(CacheConfigError, match=r"pip install \"tbd-mapper\[redis\]\""):
        RedisDriver("redis://127.0.0.1")
