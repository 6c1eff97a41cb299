"""
A server as a child process: with a directory and a port of its own, ready when it says so, gone when the tests are.

A command goes in; a running server comes out, or an error with what it logged.
"""

import atexit
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Final

__all__ = ["NOBODY", "Server", "children", "end_all", "free_port", "private_directory"]

PREFIX: Final = "mapper-test"
NOBODY: Final = "nobody" if os.geteuid() == 0 else None
"""
Who servers run as: nobody when the tests run as root, which a database refuses to be; else whoever runs the tests.
"""

MEMORY: Final = Path("/dev/shm")
DISK: Final = Path("/tmp")
ROOM: Final = 2**30
"""Bytes that must be free in memory."""

READY_SECONDS: Final = 30.0
STOP_SECONDS: Final = 10.0
LOGGED: Final = 2000
"""Characters of the log in an error."""


class Server(ABC):
    """
    A server that the tests started, or one that was there already.

    Attributes:
        source: Where it comes from: `environment`, `wheel` or `system`.
        directory: Its own; removed at the end.
        port: On the loopback interface.
    """

    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL

    def __init__(self, name: str, source: str) -> None:
        self.source = source
        self.directory = private_directory(name)
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self._remove)

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients find it."""

    @property
    @abstractmethod
    def command(self) -> Sequence[str]:
        """What runs it."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether it takes clients."""

    def start(self) -> None:
        """
        Start it and wait until it is ready.

        Raises:
            RuntimeError: It ended, or did not become ready; with what it logged.
        """
        self.begin()
        assert self._process is not None
        until = time.monotonic() + READY_SECONDS
        while not self.is_ready():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{self.command[0]} is not ready:\n{self.log.read_text()[-LOGGED:]}")
            time.sleep(0.01)

    def begin(self) -> None:
        """
        Start it without waiting. Like `start` from the main thread alone: it dies with the thread that started it.
        """
        with self.log.open("ab") as log:
            self._process = spawned(self.command, death=self.death_signal, output=log)

    def stop(self) -> None:
        """Ask it to end and wait for that."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._end(signal.SIGKILL)

    @property
    def log(self) -> Path:
        """What it writes."""
        return self.directory / "log"

    @property
    def process(self) -> int | None:
        """The number of its process, or None where it does not run."""
        return None if self._process is None else self._process.pid

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            process.wait(STOP_SECONDS)

    def _remove(self) -> None:
        try:
            self.stop()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)


def spawned(command: Sequence[str], *, death: signal.Signals, output: BinaryIO) -> subprocess.Popen[bytes]:
    """Start a command that gets a signal when this process ends."""
    child = Path(__file__).with_name("child.py")
    head = [sys.executable, "-I", "-S", str(child), str(int(death)), str(os.getpid()), NOBODY or "-"]
    return subprocess.Popen(
        [*head, *command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        cwd="/",
        env=environment(),
    )


def children(process: int) -> list[int]:
    """Return the numbers of a process's children; none where the system does not tell."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has gone meanwhile
            continue
        if int(fields[1]) == process:
            found.append(int(stat.parent.name))
    return found


def end_all(processes: Sequence[int]) -> None:
    """End processes at once, and wait until they are gone."""
    for process in processes:
        try:
            os.kill(process, signal.SIGKILL)
            while _is_running(process) and not _is_dead(process):
                time.sleep(0.001)
        except ProcessLookupError:
            continue


def _is_dead(process: int) -> bool:
    """Whether it has ended, and only its parent has not taken notice."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] in ("Z", "X")
    except OSError:
        return True


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of servers: one language, whatever the machine's."""
    return {**os.environ, "LC_ALL": "C", **(more or {})}


def free_port() -> int:
    """Return a port of the loopback interface that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def private_directory(name: str) -> Path:
    """Return a new directory, and remove those that processes which are gone have left."""
    _sweep()
    made = Path(tempfile.mkdtemp(prefix=f"{PREFIX}-{os.getpid()}-{name}-", dir=_place()))
    made.chmod(0o755)
    if NOBODY:
        shutil.chown(made, NOBODY)
    return made


def _place() -> Path:
    """Memory, where there is enough: a database is made in it ten times as fast."""
    return MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM else DISK


def _sweep() -> None:
    for place in (MEMORY, DISK):
        for left in place.glob(f"{PREFIX}-*-*"):
            owner = left.name.split("-")[2]
            if owner.isdigit() and not _is_running(int(owner)):
                shutil.rmtree(left, ignore_errors=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
