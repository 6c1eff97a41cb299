"""Opening files: what a path means, what is refused, and with which words."""

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gateways.sqlite import SQLiteGateway
from mapper.errors import CannotConnect, LockTimeout, QueryError, ReadOnly, StoreCorrupt
from mapper.operations import RawSql, Transaction
from tests.sqlite.conftest import SCHEMA, START, Make, at_rest, count, insert, plain, program, query


@pytest.mark.parametrize(
    "name", ["ünïcödé ☃.db", "a?b=c.db", "a#b.db", "100%25.db", "file:x.db", "a b'c\"d.db", "a&b;c"]
)
@pytest.mark.parametrize("kind", [str, Path])
async def test_every_character_of_a_path_is_taken_as_it_is(tmp_path: Path, name: str, kind: type):
    async with SQLiteGateway(kind(tmp_path / name)) as gateway:
        await gateway.execute(RawSql(SCHEMA))
        assert name in os.listdir(tmp_path)
    assert os.listdir(tmp_path) == [name]


async def test_relative_path_is_that_of_the_making(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    gateway = SQLiteGateway("here.db")
    monkeypatch.chdir("/")
    await gateway.execute(RawSql(SCHEMA))
    await gateway.aclose()
    assert (tmp_path / "here.db").exists()


@pytest.mark.parametrize(
    ("name", "options", "hint"),
    [
        ("nowhere/x.db", {}, "the directory '.*nowhere' does not exist"),
        (".", {}, "this is a directory"),
        ("absent.db", {"read_only": True}, "there is no such file, and a read-only gateway makes none"),
    ],
)
async def test_file_that_cannot_be_opened_is_refused_with_the_mend(tmp_path: Path, name: str, options: dict, hint: str):
    async with SQLiteGateway(tmp_path / name, **options) as gateway:
        for _ in range(2):
            with pytest.raises(CannotConnect, match=rf"cannot open[\s\S]*HINT: {hint}") as caught:
                await gateway.fetch(query("SELECT 1"), plain)
            assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
        assert at_rest(gateway)


@pytest.mark.parametrize("path", ["", "a\0b"])
def test_what_is_no_path_is_refused(path: str):
    with pytest.raises(QueryError, match="is no path"):
        SQLiteGateway(path)


@pytest.mark.parametrize(
    "options", [{"max_connections": 0}, {"busy_timeout": -1}, {"busy_timeout": float("nan")}, {"pool_timeout": 0}]
)
def test_argument_out_of_its_range_is_refused(options: dict):
    with pytest.raises(QueryError, match=next(iter(options))):
        SQLiteGateway(":memory:", **options)


async def test_file_that_is_no_database_is_corrupt(path: Path):
    path.write_bytes(b"this is no database at all " * 100)
    async with SQLiteGateway(path) as gateway:
        with pytest.raises(StoreCorrupt, match="no database"):
            await count(gateway)
        assert at_rest(gateway)


async def test_file_damaged_while_in_use_is_corrupt(make: Make, path: Path):
    first = make()
    await first.execute(RawSql(SCHEMA))
    await first.execute(insert(*["x" * 200] * 1000))
    await first.aclose()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    second = make()
    with pytest.raises(StoreCorrupt):
        await count(second, "x")
    assert at_rest(second)


async def test_file_locked_by_another_process_is_a_lock_timeout(make: Make, path: Path):
    gateway = make(busy_timeout=0.3)
    await gateway.execute(RawSql(SCHEMA))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    async with gateway.connection() as connection:
        for work in (
            gateway.execute(insert("x")),
            gateway.execute(insert("x", "y")),
            gateway.run(program(insert("x"))),
            connection.execute(START),
        ):
            with pytest.raises(LockTimeout, match="busy timeout") as caught:
                await work
            assert caught.value.retryable
        assert await count(gateway) == 0
    other.execute("COMMIT")
    other.close()
    await gateway.execute(insert("x"))
    assert at_rest(gateway)


async def test_lock_that_is_given_up_in_time_is_waited_for(gateway: SQLiteGateway, path: Path):
    program_text = (
        "import sqlite3, sys, time; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('BEGIN IMMEDIATE');"
        "print('locked', flush=True); time.sleep(0.4); c.execute('COMMIT')"
    )
    with subprocess.Popen([sys.executable, "-c", program_text, str(path)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        await gateway.execute(insert("x"))
        await gateway.run(program(insert("y")))
    assert await count(gateway) == 2


async def test_writers_of_two_gateways_wait_for_each_other(make: Make):
    first, second = make(), make()
    await first.execute(RawSql(SCHEMA))
    async with first.connection() as connection:
        await connection.execute(START)
        await connection.execute(insert("x"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(second.execute(insert("y")), 0.3)
        await connection.execute(Transaction("commit"))
    await second.execute(insert("y"))
    assert await count(first) == 2


# Read-only


@pytest.fixture
async def reader(gateway: SQLiteGateway, make: Make) -> SQLiteGateway:
    await gateway.execute(insert("x"))
    return make(read_only=True)


async def test_read_only_gateway_reads(reader: SQLiteGateway):
    assert await count(reader) == 1
    async with reader.connection() as connection:
        await connection.execute(START)
        assert await connection.fetch(query("SELECT name FROM items"), plain) == ["x"]
        await connection.execute(Transaction("commit"))


async def test_read_only_gateway_refuses_every_write(reader: SQLiteGateway, gateway: SQLiteGateway):
    async with reader.connection() as connection:
        await connection.execute(START)
        for work in (
            reader.execute(insert("y")),
            reader.execute(insert("y", "z")),
            reader.execute(RawSql("DELETE FROM items")),
            reader.execute(RawSql("DROP TABLE items")),
            reader.run(program(insert("y"))),
            reader.fetch(query("DELETE FROM items RETURNING id"), plain),
            connection.execute(insert("y")),
        ):
            with pytest.raises(ReadOnly, match="a write was refused"):
                await work
    assert await count(gateway) == 1


@pytest.mark.feature("T26")
async def test_read_only_transaction_refuses_writes_and_shows_one_moment(gateway: SQLiteGateway):
    async with gateway.connection() as connection:
        await connection.execute(Transaction("start", read_only=True))
        assert await connection.fetch(query("SELECT count(*) FROM items"), plain) == [0]
        await gateway.execute(insert("x"))
        assert await connection.fetch(query("SELECT count(*) FROM items"), plain) == [0]
        with pytest.raises(ReadOnly):
            await connection.execute(insert("y"))
        await connection.execute(Transaction("commit"))
        await connection.execute(insert("z"))
    assert await count(gateway) == 2


async def test_read_only_connection_refuses_writes_and_the_next_block_may_write(small: SQLiteGateway):
    async with small.connection(read_only=True) as connection:
        for operation in (insert("x"), insert("x", "y"), RawSql("DELETE FROM items"), START):
            with pytest.raises(ReadOnly):
                await connection.execute(operation)
    async with small.connection() as connection:
        await connection.execute(insert("x"))
    assert await count(small) == 1


# Memory


async def test_memory_is_one_database_for_all_connections_with_readers_beside_a_writer():
    async with SQLiteGateway(":memory:") as gateway:
        await gateway.execute(RawSql(SCHEMA))
        async with gateway.connection() as connection:
            await connection.execute(START)
            await connection.execute(insert("x"))
            assert await count(gateway) == 0
            await connection.execute(Transaction("commit"))
        assert await count(gateway) == 1
        assert gateway.statistics().size == 2


async def test_memory_is_private_and_gone_after_closing():
    async with SQLiteGateway(":memory:") as gateway, SQLiteGateway(":memory:") as other:
        await gateway.execute(RawSql(SCHEMA))
        assert (await other.execute(RawSql("SELECT name FROM sqlite_master"))).rows == []
        file = Path((await gateway.execute(RawSql("PRAGMA database_list"))).rows[0][2])
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        await gateway.aclose()
        assert not file.parent.exists()
        assert (await gateway.execute(RawSql("SELECT name FROM sqlite_master"))).rows == []


async def test_memory_goes_with_its_gateway():
    gateway = SQLiteGateway(":memory:")
    file = Path((await gateway.execute(RawSql("PRAGMA database_list"))).rows[0][2])
    del gateway
    # The thread may be about to let go of its last piece of work.
    for _ in range(1000):
        if not file.parent.exists():
            break
        await asyncio.sleep(0.001)
    assert not file.parent.exists()


@pytest.mark.parametrize("end", ["", "sys.exit(0) if os.fork() == 0 else os.wait()"])
def test_memory_goes_with_its_process(end: str):
    text = f"""
import asyncio, os, sys
from gateways.sqlite import SQLiteGateway
from mapper.operations import RawSql

async def main():
    global gateway
    gateway = SQLiteGateway(":memory:")
    print((await gateway.execute(RawSql("PRAGMA database_list"))).rows[0][2])

asyncio.run(main())
{end}
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", text], capture_output=True, text=True, check=True, timeout=20
    )
    assert (done.stderr, Path(done.stdout.strip()).parent.exists()) == ("", False)


async def test_read_only_memory_is_empty_and_refuses_writes():
    async with SQLiteGateway(":memory:", read_only=True) as gateway:
        with pytest.raises(ReadOnly):
            await gateway.execute(RawSql(SCHEMA))
        assert (await gateway.execute(RawSql("SELECT name FROM sqlite_master"))).rows == []


def test_representation_shows_the_path():
    assert repr(SQLiteGateway("blog.db")) == "SQLiteGateway('blog.db')"
