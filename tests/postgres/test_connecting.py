"""Connecting: several hosts, primaries and standbys, sockets and numbers, time limits, and what is told when none works."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator

import asyncpg
import pytest

import gateways
from gateways.postgres import PostgresGateway
from gateways.postgres.hosts import Hosts
from gateways.postgres.settings import Settings
from mapper.errors import CannotConnect, ReadOnly
from mapper.operations import RawSql
from tests.servers import Postgres, Proxy
from tests.servers.process import free_port

pytestmark = pytest.mark.feature("T28")

PORT = RawSql("SELECT inet_server_port()")


async def port_of(url: str, **keywords: object) -> int:
    """Connect, and return the port of the server that took it."""
    async with PostgresGateway(url, connect_timeout=5, **keywords) as gateway:  # type: ignore[arg-type]  # of several types
        (row,) = (await gateway.execute(PORT)).rows
        return int(row[0])


def hosts(*servers: Postgres | int) -> str:
    ports = [each if isinstance(each, int) else each.port for each in servers]
    return "postgresql://app@{}/postgres".format(",".join(f"127.0.0.1:{port}" for port in ports))


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("any", "first"),
        ("read-write", "primary"),
        ("primary", "primary"),
        ("read-only", "standby"),
        ("standby", "standby"),
        ("prefer-standby", "standby"),
    ],
)
@pytest.mark.parametrize("first", ["primary", "standby"])
async def test_host_of_the_kind_asked_for_is_taken(
    own_postgres: Postgres, standby_postgres: Postgres, first: str, target: str, expected: str
):
    servers = {"primary": own_postgres, "standby": standby_postgres}
    second = "standby" if first == "primary" else "primary"
    url = hosts(servers[first], servers[second])
    chosen = servers[first if expected == "first" else expected]
    assert await port_of(url, target_session_attrs=target) == chosen.port
    assert await port_of(f"{url}?target_session_attrs={target}") == chosen.port


async def test_primary_serves_where_a_standby_is_preferred_and_none_is_there(own_postgres: Postgres):
    url = hosts(free_port(), own_postgres)
    assert await port_of(url, target_session_attrs="prefer-standby") == own_postgres.port
    assert await port_of(hosts(own_postgres), target_session_attrs="prefer-standby") == own_postgres.port


async def test_no_host_of_the_kind_asked_for_is_told(own_postgres: Postgres):
    refused = free_port()
    with pytest.raises(CannotConnect) as caught:
        await port_of(hosts(own_postgres, refused), target_session_attrs="standby")
    message = str(caught.value)
    assert f"127.0.0.1:{own_postgres.port}: " in message
    assert f"127.0.0.1:{refused}: " in message
    assert "HINT: " in message


async def test_environment_says_which_host_where_nothing_else_does(
    own_postgres: Postgres, standby_postgres: Postgres, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PGTARGETSESSIONATTRS", "primary")
    assert await port_of(hosts(standby_postgres, own_postgres)) == own_postgres.port


async def test_next_host_is_tried_where_one_refuses(own_postgres: Postgres):
    assert await port_of(hosts(free_port(), own_postgres)) == own_postgres.port


async def test_next_host_is_tried_where_one_is_silent_and_the_silent_one_is_avoided_then(own_postgres: Postgres):
    async with Proxy(own_postgres.port) as silent:
        silent.stall()
        async with PostgresGateway(hosts(silent.port, own_postgres), connect_timeout=0.3, max_connections=3) as gateway:
            began = time.monotonic()
            await gateway.execute(PORT)
            assert 0.3 <= time.monotonic() - began < 2
            began = time.monotonic()
            await asyncio.gather(*[gateway.execute(PORT) for _ in range(3)])
            assert time.monotonic() - began < 0.3
        assert silent.accepted == 1


async def test_host_that_failed_is_first_again_after_a_while(
    own_postgres: Postgres, standby_postgres: Postgres, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("gateways.postgres.hosts.AVOIDED_SECONDS", 0.2)
    async with Proxy(own_postgres.port) as first:
        found = Hosts(Settings.read(hosts(first.port, standby_postgres), {}))

        async def connected_to() -> str:
            driver = await found.connect()
            inside = await driver.fetchval("SELECT pg_is_in_recovery()")
            await driver.close()
            return "second" if inside else "first"

        first.refuse()
        assert await connected_to() == "second"
        await first.accept()
        assert await connected_to() == "second"
        await asyncio.sleep(0.2)
        assert await connected_to() == "first"


async def test_random_host_spreads_the_connections(own_postgres: Postgres, standby_postgres: Postgres):
    url = f"{hosts(own_postgres, standby_postgres)}?load_balance_hosts=random"
    assert {await port_of(url) for _ in range(30)} == {own_postgres.port, standby_postgres.port}


async def test_refused_password_or_database_is_not_tried_on_the_next_host(own_postgres: Postgres):
    async with Proxy(own_postgres.port) as next_one:
        url = hosts(own_postgres, next_one.port).replace("/postgres", "/nowhere")
        with pytest.raises(CannotConnect, match=r"(?s)nowhere.*create the database") as caught:
            await port_of(url)
        assert (next_one.accepted, caught.value.retryable) == (0, False)


async def test_connections_to_a_server_that_has_become_a_standby_are_given_up(
    postgres_url: str, own_postgres: Postgres
):
    async with PostgresGateway(postgres_url, target_session_attrs="read-write", max_connections=2) as gateway:
        await asyncio.gather(*[gateway.execute(RawSql("SELECT pg_sleep(0.02)")) for _ in range(2)])
        before = gateway.statistics().size
        async with gateway.connection() as connection:
            await connection.driver.execute("SET default_transaction_read_only = on")
            with pytest.raises(ReadOnly):
                await connection.execute(RawSql("CREATE TABLE t (x int)"))
        assert (before, gateway.statistics().size) == (2, 0)
        await gateway.execute(RawSql("CREATE TABLE t (x int)"))


# Addresses


async def test_unix_socket_is_a_host(own_postgres: Postgres):
    directory, port = str(own_postgres.directory), own_postgres.port
    for url in (own_postgres.socket_url, f"postgresql://app@/postgres?host={directory}&port={port}"):
        async with PostgresGateway(url, sslmode="require") as gateway:
            assert (await gateway.execute(RawSql("SELECT inet_server_port()"))).rows == [(None,)]


async def test_unix_socket_that_is_not_there_is_told(own_postgres: Postgres):
    with pytest.raises(CannotConnect, match=r"(?s)/nowhere.*HINT"):
        await port_of("postgresql://app@%2Fnowhere/postgres")


@pytest.mark.skipif(not socket.has_ipv6, reason="the machine has no IPv6")
async def test_ipv6_address_in_brackets_is_a_host(own_postgres: Postgres):
    assert await port_of(f"postgresql://app@[::1]:{own_postgres.port}/postgres") == own_postgres.port


async def test_names_of_the_database_may_be_anything(own_postgres: Postgres):
    odd = 'o"d/d @#?ü%'
    connection = await asyncpg.connect(own_postgres.url)
    await connection.execute('CREATE DATABASE "o""d/d @#?ü%"')
    try:
        async with PostgresGateway(own_postgres.url_of("o%22d%2Fd%20%40%23%3F%C3%BC%25")) as gateway:
            assert (await gateway.execute(RawSql("SELECT current_database()"))).rows == [(odd,)]
    finally:
        await connection.execute('DROP DATABASE "o""d/d @#?ü%" WITH (FORCE)')
        await connection.close()


# Who connects


async def takes(url: str) -> bool:
    """Return whether the server takes a connection without a password."""
    try:
        await (await asyncpg.connect(url)).close()
    except asyncpg.InvalidPasswordError:
        return False
    return True


@pytest.fixture
async def guarded(own_postgres: Postgres) -> AsyncIterator[str]:
    """The URL of a user with a password, without it. It is asked for by the socket that has a rule of its own."""
    rules = own_postgres.data / "pg_hba.conf"
    before = rules.read_text()
    connection = await asyncpg.connect(own_postgres.url)
    await connection.execute("CREATE ROLE guarded LOGIN PASSWORD 'p@ss/w:rd' CONNECTION LIMIT 2")
    rules.write_text(f"host all guarded all scram-sha-256\n{before}")
    await connection.execute("SELECT pg_reload_conf()")
    url = own_postgres.url.replace("app@", "guarded@")
    while await takes(url):  # noqa: ASYNC110  # the server tells nobody when it has read its rules
        await asyncio.sleep(0.01)
    yield url
    rules.write_text(before)
    await connection.execute("SELECT pg_reload_conf()")
    await connection.execute("DROP ROLE guarded")
    await connection.close()


async def test_password_comes_from_the_url_a_keyword_a_function_or_the_environment(
    guarded: str, monkeypatch: pytest.MonkeyPatch
):
    async def later() -> str:
        await asyncio.sleep(0)
        return "p@ss/w:rd"

    assert await port_of(guarded.replace("guarded@", "guarded:p%40ss%2Fw%3Ard@"))
    assert await port_of(f"{guarded}?password=p@ss/w:rd")
    assert await port_of(guarded, password="p@ss/w:rd")
    assert await port_of(guarded, password=lambda: "p@ss/w:rd")
    assert await port_of(guarded, password=later)
    monkeypatch.setenv("PGPASSWORD", "p@ss/w:rd")
    assert await port_of(guarded)


async def test_wrong_password_is_told_and_not_shown(guarded: str):
    gateway = PostgresGateway(guarded, password="hunter2")
    with pytest.raises(CannotConnect, match="password authentication failed") as caught:
        await gateway.execute(PORT)
    error = caught.value
    assert "hunter2" not in f"{error!r} {error} {error.__cause__!r} {error.__context__!r}"
    assert (error.retryable, gateway.statistics().size) == (False, 0)


async def test_too_many_connections_is_told_as_such_and_worth_a_retry(guarded: str):
    async with PostgresGateway(guarded, password="p@ss/w:rd", connect_timeout=0.3, max_connections=3) as gateway:
        sleeping = [gateway.execute(RawSql("SELECT pg_sleep(0.8)")) for _ in range(3)]
        outcomes = await asyncio.gather(*sleeping, return_exceptions=True)
        (refused,) = [each for each in outcomes if isinstance(each, CannotConnect)]
        assert refused.retryable
        assert "max_connections" in str(refused)


async def test_room_that_becomes_free_in_a_moment_is_waited_for(guarded: str):
    """A server counts a connection for a moment longer than its client does."""
    async with PostgresGateway(guarded, password="p@ss/w:rd", max_connections=2, max_lifetime=0.001) as gateway:
        for _ in range(20):
            await asyncio.gather(*[gateway.execute(PORT) for _ in range(2)])


async def test_settings_of_the_session_reach_the_server(postgres_url: str):
    url = f"{postgres_url}?application_name=a%20b&search_path=one,two&statement_timeout=1.5&options=-c%20work_mem=5MB"
    async with gateways.open(url) as gateway:
        asked = "SELECT {}".format(
            ", ".join(
                f"current_setting('{each}')"
                for each in ("application_name", "search_path", "statement_timeout", "work_mem")
            )
        )
        assert (await gateway.execute(RawSql(asked))).rows == [("a b", "one,two", "1500ms", "5MB")]


@pytest.mark.parametrize(("size", "kept"), [(500, 1), (0, 0)])
async def test_prepared_statements_are_kept_or_not(postgres_url: str, size: int, kept: int):
    async with PostgresGateway(postgres_url, max_connections=1, statement_cache_size=size) as gateway:
        await gateway.execute(RawSql("SELECT 1 + 0"))
        counted = await gateway.execute(
            RawSql("SELECT count(*) FROM pg_prepared_statements WHERE statement = 'SELECT 1 + ' || 0")
        )
        assert counted.rows == [(kept,)]


async def test_sockets_are_watched_for_an_end_that_nobody_tells_of(postgres_url: str):
    async with PostgresGateway(postgres_url) as gateway, gateway.connection() as connection:
        watched = connection.driver._transport.get_extra_info("socket")
        assert watched.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        if hasattr(socket, "TCP_KEEPIDLE"):
            assert watched.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30


# Time limits


@pytest.mark.parametrize("how", ["silent", "hangs up", "unknown name"])
async def test_connecting_ends_in_time_with_what_failed(own_postgres: Postgres, how: str):
    async with Proxy(own_postgres.port) as proxy:
        url = hosts(proxy.port)
        if how == "silent":
            proxy.stall()
        elif how == "hangs up":
            proxy.hangs_up = True
        else:
            url = "postgresql://app@nowhere.invalid/postgres"
        gateway = PostgresGateway(url, connect_timeout=0.3)
        began = time.monotonic()
        with pytest.raises(CannotConnect, match=r"cannot connect to postgresql://.*\nHINT: "):
            await gateway.execute(PORT)
        if how != "unknown name":  # how long a name is looked for is the system's
            assert time.monotonic() - began < 1.5
        assert gateway.statistics().size == 0


async def test_server_that_is_starting_is_waited_for_a_moment(own_postgres: Postgres):
    causes: list[CannotConnect] = []
    async with PostgresGateway(own_postgres.url) as gateway:
        own_postgres.kill()
        own_postgres.begin()
        outcome: object = None
        for _ in range(1000):
            try:
                outcome = (await gateway.execute(RawSql("SELECT 1"))).rows
                break
            except CannotConnect as error:
                causes.append(error)
                await asyncio.sleep(0.01)
    assert outcome == [(1,)]
    assert all(isinstance(each.__cause__, ConnectionRefusedError) or each.retryable for each in causes)
