"""
Hands on real servers: what the conformance suite for cache drivers does to them, done through proxies and clients.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager

import redis.asyncio
from attrs import define, field
from redis import Redis as Client
from redis.cluster import RedisCluster as ClusterClient

from cache_drivers.redis import RedisDriver
from tests.servers import Proxy, Redis

COMMAND_TIMEOUT = 0.2
CONNECT_TIMEOUT = 0.3

PATIENCE = 3.0
"""Seconds until a command fails where no test waits for that, on a machine that is busy."""


@define
class Control:
    """Servers, each behind a proxy."""

    servers: Sequence[Redis]
    command_timeout: float = PATIENCE
    proxies: list[Proxy] = field(factory=list)

    async def stop(self) -> None:
        for proxy in self.proxies:
            proxy.refuse()
            await proxy.drop()

    async def start(self) -> None:
        for proxy in self.proxies:
            await proxy.accept()

    async def flush(self) -> None:
        for client in self._clients():
            client.flushall()

    async def delay(self, seconds: float) -> None:
        for proxy in self.proxies:
            # In both directions.
            proxy.delay = seconds / 2

    async def cut(self, after: int) -> None:
        for proxy in self.proxies:
            proxy.drop_after(after, "client")

    async def corrupt(self, key: str) -> None:
        with self.client() as client:
            client.delete(key)
            client.rpush(key, "not", "a", "string")

    async def fill(self) -> None:
        for client in self._clients():
            client.config_set("maxmemory", 1)

    async def restore(self) -> None:
        for server in self.servers:
            if server.process is None:
                server.start()
        for client in self._clients():
            client.config_set("maxmemory", 0)
        for proxy in self.proxies:
            proxy.delay = 0
            proxy.forget()
            proxy.resume()
            await proxy.accept()

    def client(self) -> Client | ClusterClient:
        """Return a client that blocks, for all keys."""
        return self.servers[0].client()

    def driver(self) -> RedisDriver:
        """Return a driver that goes through the proxies."""
        return RedisDriver(
            f"redis://127.0.0.1:{self.proxies[0].port}",
            connect_timeout=self.command_timeout,
            command_timeout=self.command_timeout,
        )

    def _clients(self) -> Sequence[Client]:
        return [server.client() for server in self.servers]


class RestartingControl(Control):
    """One server, which is really stopped."""

    async def stop(self) -> None:
        self.servers[0].kill()

    async def start(self) -> None:
        self.servers[0].start()


class ClusterControl(Control):
    """The servers of a cluster."""

    def client(self) -> Client | ClusterClient:
        """Return a client that blocks, for all keys."""
        return ClusterClient(host="127.0.0.1", port=self.servers[0].port)

    def driver(self) -> RedisDriver:
        """Return a driver that goes through the proxies, whatever servers call themselves."""
        ports = {server.port: proxy.port for server, proxy in zip(self.servers, self.proxies, strict=True)}
        client = redis.asyncio.RedisCluster(
            host="127.0.0.1",
            port=self.proxies[0].port,
            address_remap=lambda address: (address[0], ports.get(address[1], address[1])),
        )
        return RedisDriver(client, connect_timeout=self.command_timeout, command_timeout=self.command_timeout)


@asynccontextmanager
async def controlled(kind: type[Control], servers: Sequence[Redis]) -> AsyncGenerator[Control]:
    """Open the proxies."""
    control = kind(servers)
    for server in servers:
        control.proxies.append(await Proxy(server.port).__aenter__())
    try:
        yield control
    finally:
        for proxy in control.proxies:
            await proxy.__aexit__(None, None, None)


async def until(so: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(seconds):
        while not so():  # noqa: ASYNC110  # what is waited for is a server's
            await asyncio.sleep(0.005)
