"""
Databases for benchmarks: a private server or file, filled, with a gateway and connections of the driver.
"""

import tempfile
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiosqlite
import asyncpg

from gateways.postgres import PostgresGateway
from gateways.sqlite import SQLiteGateway
from mapper.gateway import Gateway
from mapper.operations import RawSql
from tests.benchmarks.subject import Blog, Comments, Posts, comments, posts
from tests.benchmarks.workload import DATABASES, Bench, Database
from tests.benchmarks.workloads.read_one import CONNECTIONS
from tests.servers import Postgres

__all__ = ["DATABASES", "opened"]


@asynccontextmanager
async def opened(database: Database, size: int) -> AsyncGenerator[Bench]:
    """Open a database of so many posts, which is gone at the end."""
    async with AsyncExitStack() as stack:
        if database == "postgres":
            url = Postgres.url_given()
            if url is None:
                # Every library keeps its own connections while the others have their turns.
                server = Postgres.launch(max_connections="200")
                stack.callback(server.stop)
                url = server.url
            gateway: Gateway = PostgresGateway(url, max_connections=CONNECTIONS)
        else:
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmarks-"))
            url = str(Path(directory) / "blog.db")
            gateway = SQLiteGateway(url)
        await stack.enter_async_context(gateway)
        blog = Blog(gateway)
        await _fill(blog, size)
        many = [await _connected(database, url, stack) for _ in range(CONNECTIONS if database == "postgres" else 1)]
        yield Bench(database, url, gateway, blog, many[0], tuple(many), size, stack)


async def _fill(blog: Blog, size: int) -> None:
    await blog.push_schema()
    await blog.load(Posts, posts(size))
    await blog.load(Comments, comments())
    await blog._executor.execute(RawSql("ANALYZE"))


async def _connected(database: Database, url: str, stack: AsyncExitStack) -> Any:
    if database == "postgres":
        connection: Any = await asyncpg.connect(url)
    else:
        connection = await aiosqlite.connect(url)
        await connection.execute("PRAGMA synchronous = NORMAL")
    stack.push_async_callback(connection.close)
    return connection
