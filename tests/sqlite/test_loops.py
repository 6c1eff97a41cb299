"""Event loops: one at a time, a second one after the first, none of asyncio's; and processes that forget to close."""

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import trio

from gateways.sqlite import SQLiteGateway
from mapper.errors import WrongLoop
from mapper.operations import RawSql
from tests.sqlite.conftest import SCHEMA, count, drained, insert, numbers, plain, program, query


def test_second_loop_gets_fresh_connections(path: Path):
    gateway = SQLiteGateway(path)

    async def first() -> None:
        await gateway.execute(RawSql(SCHEMA))
        await asyncio.gather(*[gateway.execute(insert(str(each))) for each in range(5)])
        stream = await gateway.stream(numbers(1000), plain)
        await stream.next()
        lost.append(stream)

    async def second() -> None:
        assert await count(gateway) == 5
        assert gateway.statistics().in_use == 0
        await gateway.run(program(insert("x")))
        await gateway.aclose()

    lost: list[object] = []
    asyncio.run(first())
    asyncio.run(second())
    asyncio.run(second_time(gateway))


async def second_time(gateway: SQLiteGateway) -> None:
    assert await count(gateway) == 6
    await gateway.aclose()


def test_memory_outlives_its_loop_until_it_is_closed():
    gateway = SQLiteGateway(":memory:")
    asyncio.run(_execute(gateway, RawSql(SCHEMA)))
    asyncio.run(_execute(gateway, insert("x")))
    assert asyncio.run(count(gateway)) == 1
    asyncio.run(gateway.aclose())


async def _execute(gateway: SQLiteGateway, operation) -> None:
    await gateway.execute(operation)


def test_threads_of_an_ended_loop_end(path: Path):
    gateway = SQLiteGateway(path)
    before = set(threading.enumerate())
    asyncio.run(_execute(gateway, RawSql(SCHEMA)))
    (old,) = set(threading.enumerate()) - before
    asyncio.run(gateway.aclose())
    old.join(5)
    assert set(threading.enumerate()) <= before


async def test_second_loop_in_another_thread_is_refused(gateway: SQLiteGateway):
    def elsewhere() -> None:
        for work in (count, drain, held, SQLiteGateway.aclose):
            with pytest.raises(WrongLoop, match="another thread"):
                asyncio.run(work(gateway))

    await asyncio.to_thread(elsewhere)
    assert await count(gateway) == 0


async def drain(gateway: SQLiteGateway) -> None:
    await drained(await gateway.stream(numbers(1), plain))


async def held(gateway: SQLiteGateway) -> None:
    async with gateway.connection():
        pass


def test_trio_is_refused_with_the_mend(path: Path):
    gateway = SQLiteGateway(path)

    async def main() -> None:
        with pytest.raises(WrongLoop, match=r"no asyncio event loop[\s\S]*use the memory gateway"):
            await gateway.fetch(query("SELECT 1"), plain)
        await gateway.aclose()

    trio.run(main)


async def test_no_thread_is_left_after_closing(gateway: SQLiteGateway):
    before = set(threading.enumerate())
    await asyncio.gather(*[count(gateway) for _ in range(20)])
    await gateway.aclose()
    assert set(threading.enumerate()) < before


PREFACE = """
import asyncio, gc, os, sys
from gateways.sqlite import SQLiteGateway
from mapper.operations import QuerySql, RawSql, Transaction

def plain(rows, names):
    return list(rows)

MANY = QuerySql("WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n WHERE x < 100000) SELECT x FROM n", ())
"""

PROGRAMS = {
    "forgotten at the end": """
async def main():
    global gateway
    gateway = SQLiteGateway(sys.argv[1])
    await asyncio.gather(*[gateway.fetch(MANY, plain) for _ in range(4)])
asyncio.run(main())
""",
    "forgotten and collected": """
async def main():
    gateway = SQLiteGateway(sys.argv[1])
    await gateway.execute(RawSql("CREATE TABLE t (x)"))
asyncio.run(main())
gc.collect()
""",
    "stream left at the end": """
async def main():
    global gateway, stream
    gateway = SQLiteGateway(sys.argv[1])
    stream = await gateway.stream(MANY, plain)
    await stream.next()
asyncio.run(main())
""",
    "stream collected as the loop ends": """
async def main():
    global gateway
    gateway = SQLiteGateway(sys.argv[1])
    stream = await gateway.stream(MANY, plain)
    await stream.next()
asyncio.run(main())
""",
    "cancelled by the end of the loop": """
async def main():
    global gateway, task
    gateway = SQLiteGateway(sys.argv[1])
    await gateway.execute(RawSql("CREATE TABLE t (x)"))
    task = asyncio.create_task(gateway.fetch(MANY, plain))
    await asyncio.sleep(0.001)
asyncio.run(main())
""",
    "opening as the loop ends": """
async def main():
    global gateway, task
    gateway = SQLiteGateway(sys.argv[1])
    task = asyncio.create_task(gateway.fetch(MANY, plain))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
asyncio.run(main())
""",
    "loop closed in the midst of a query": """
async def main():
    global gateway, task
    gateway = SQLiteGateway(sys.argv[1])
    await gateway.execute(RawSql("CREATE TABLE t (x)"))
    coroutine = gateway.fetch(MANY, plain)
    coroutine.send(None)
    global keep
    keep = coroutine
asyncio.run(main())
keep.close()
""",
    "cannot connect": """
async def main():
    gateway = SQLiteGateway(sys.argv[1] + "/no/such/directory")
    try:
        await gateway.fetch(MANY, plain)
    except Exception as error:
        print(type(error).__name__)
asyncio.run(main())
""",
    "read inline": """
from mapper.operations import OutputColumn
from mapper.types import Integer
BY_KEY = QuerySql("SELECT x FROM t WHERE x = 1", (), (OutputColumn("x", Integer(), False),))
async def main():
    global gateway
    gateway = SQLiteGateway(sys.argv[1])
    await gateway.execute(RawSql("CREATE TABLE t (x INTEGER PRIMARY KEY)"))
    for _ in range(5):
        await gateway.fetch(BY_KEY, plain)
    assert gateway._inline._cursor is not None
asyncio.run(main())
""",
    "read inline and forked": """
from mapper.operations import OutputColumn
from mapper.types import Integer
BY_KEY = QuerySql("SELECT x FROM t WHERE x = 1", (), (OutputColumn("x", Integer(), False),))
async def main():
    global gateway
    gateway = SQLiteGateway(sys.argv[1])
    await gateway.execute(RawSql("CREATE TABLE IF NOT EXISTS t (x INTEGER PRIMARY KEY)"))
    for _ in range(5):
        await gateway.fetch(BY_KEY, plain)
asyncio.run(main())
if os.fork() == 0:
    asyncio.run(main())
    os._exit(0)
assert os.wait()[1] == 0
asyncio.run(main())
""",
    "transaction left open": """
async def main():
    global gateway, hold
    gateway = SQLiteGateway(sys.argv[1])
    hold = gateway.connection()
    connection = await hold.__aenter__()
    await connection.execute(Transaction("start"))
asyncio.run(main())
""",
    "forked": """
async def main():
    global gateway
    gateway = SQLiteGateway(sys.argv[1])
    await gateway.execute(RawSql("CREATE TABLE t (x)"))
asyncio.run(main())
if os.fork() == 0:
    async def child():
        await gateway.execute(RawSql("INSERT INTO t VALUES (1)"))
        await gateway.aclose()
    asyncio.run(child())
    os._exit(0)
assert os.wait()[1] == 0
async def parent():
    assert (await gateway.execute(RawSql("SELECT x FROM t"))).rows == [(1,)]
asyncio.run(parent())
""",
}


@pytest.mark.parametrize("text", PROGRAMS.values(), ids=PROGRAMS)
def test_process_ends_without_a_warning_and_without_hanging(path: Path, text: str):
    # A fork beside threads is what is tested.
    quiet = ["-W", "ignore:This process:DeprecationWarning"]
    command = [sys.executable, "-X", "dev", "-W", "error", *quiet, "-c", PREFACE + text, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    # A machine that is busy makes asyncio's debug mode complain of slow steps.
    told = [line for line in done.stderr.splitlines() if not line.startswith("Executing <")]
    assert (done.returncode, told) == (0, [])
