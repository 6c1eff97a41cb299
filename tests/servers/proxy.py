"""
A proxy that does to connections what networks do: drop, stall, delay, refuse.

A server's port goes in; a port of its own comes out, whose connections it passes on. It runs in the event loop of the
test. With a context of TLS it answers PostgreSQL's request for TLS, in front of a server that has none.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable
from types import TracebackType
from typing import Final, Literal, Self, TypeAlias
from urllib.parse import urlsplit, urlunsplit

from attrs import define, field

__all__ = ["Proxy", "Toward"]

Toward: TypeAlias = Literal["server", "client"]
"""The direction in which bytes go."""

CHUNK: Final = 65536
TLS_REQUEST: Final = struct.pack("!ii", 8, 80877103)
"""How a client of PostgreSQL asks for TLS, before it says anything else."""

SETTLING: Final = 5
"""Turns of the loop until a transport that was aborted has closed its socket, below TLS too."""

RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER that has a socket closed by RST in the place of FIN."""


@define
class _Fault:
    """
    What is to happen once.

    Attributes:
        after: Bytes that still pass; None for a fault at a pattern.
        forwards: The pattern itself passes.
        act: Drops or stalls.
    """

    toward: Toward
    act: Callable[["_Link"], None]
    after: int | None = None
    pattern: bytes = b""
    forwards: bool = True

    def cut(self, seen: bytes, chunk: bytes) -> int | None:
        """
        Return how many bytes of a chunk pass before it happens; None where all do, and nothing happens.

        Args:
            seen: The end of what came before, in which a pattern may have begun.
        """
        if self.after is not None:
            if len(chunk) < self.after:
                self.after -= len(chunk)
                return None
            return self.after
        found = (seen + chunk).find(self.pattern, max(len(seen) - len(self.pattern) + 1, 0))
        if found < 0:
            return None
        end = found + len(self.pattern) if self.forwards else found
        return max(end - len(seen), 0)


@define(eq=False)
class _Link:
    """One client's connection, and the one to the server for it."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter | None = None
    pumps: "list[asyncio.Task[None]]" = field(factory=list)
    seen: dict[Toward, bytes] = field(factory=lambda: {"server": b"", "client": b""})

    def drop(self, *, reset: bool = False) -> None:
        """Close both ends at once."""
        if reset:
            self.client.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        for writer in (self.client, self.server):
            if writer is not None:
                writer.transport.abort()
        for pump in self.pumps:
            pump.cancel()


class Proxy:
    """
    A proxy in front of a server; `async with Proxy(port) as proxy`.

    Args:
        port, host: The server's.
        tls: Speak TLS towards clients that ask for it.
        insists: Refuse clients that do not.

    Attributes:
        port: Its own.
        accepted: Connections that were taken since the beginning.
        delay: Seconds that every chunk of bytes takes longer, in both directions.
        hangs_up: Close new connections as soon as they are there.
        resets: Drop by RST, as a crashed machine or a firewall does, and not by FIN.
        nonsense: What clients are answered instead of what the server says.
    """

    def __init__(
        self, port: int, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None, insists: bool = False
    ) -> None:
        self.port = 0
        self.accepted = 0
        self.delay = 0.0
        self.hangs_up = False
        self.resets = False
        self.nonsense = b""
        self._target = (host, port)
        self._tls = tls
        self._insists = insists
        self._listening: asyncio.Server | None = None
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._faults: list[_Fault] = []
        self._flows: dict[Toward, asyncio.Event] = {"server": asyncio.Event(), "client": asyncio.Event()}

    @classmethod
    def before(cls, url: str, *, tls: ssl.SSLContext | None = None, insists: bool = False) -> Self:
        """Return a proxy in front of the server that a URL names."""
        parts = urlsplit(url)
        return cls(parts.port or 5432, host=parts.hostname or "127.0.0.1", tls=tls, insists=insists)

    async def __aenter__(self) -> Self:
        self.resume()
        await self.accept()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.refuse()
        self.resume()
        await self.drop()
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    def url_of(self, url: str) -> str:
        """Return a URL of the server with the proxy's address in it."""
        parts = urlsplit(url)
        login, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{login}{at}127.0.0.1:{self.port}"))

    @property
    def open(self) -> int:
        """Connections that are there now."""
        return len(self._links)

    # Faults

    async def accept(self) -> None:
        """Take connections; a no-op where it does."""
        if self._listening is None:
            self._listening = await asyncio.start_server(self._take, "127.0.0.1", self.port)
            self.port = self._listening.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """Take no new connections until `accept`: they are refused. Those that are there stay."""
        if self._listening is not None:
            self._listening.close()
            self._listening = None

    async def drop(self) -> None:
        """Close all connections that are there, and return when they are gone."""
        links = frozenset(self._links)
        for link in links:
            link.drop(reset=self.resets)
        while links & self._links:  # noqa: ASYNC110  # a turn or two of the loop
            await asyncio.sleep(0)
        for _ in range(SETTLING):
            await asyncio.sleep(0)

    def stall(self, *toward: Toward) -> None:
        """Let no byte pass until `resume`: in these directions, or in both."""
        for each in toward or self._flows:
            self._flows[each].clear()

    def resume(self) -> None:
        """Let bytes pass again; those held back are not lost."""
        for each in self._flows.values():
            each.set()

    def drop_after(self, count: int, toward: Toward) -> None:
        """Drop the connection on which so many bytes have passed in a direction, counted from now over all of them."""
        self._faults.append(_Fault(toward, self._drop, after=count))

    def stall_after(self, count: int, toward: Toward) -> None:
        """Let no byte pass, on any connection, after so many."""
        self._faults.append(_Fault(toward, self._stall, after=count))

    def drop_at(self, pattern: bytes, toward: Toward = "server", *, forwards: bool = True) -> None:
        """
        Drop the next connection on which these bytes pass, once they have; with `forwards=False` before they do. So
        `drop_at(b"COMMIT\\0")` loses the answer of a commit, and `drop_at(b"COMMIT\\0", forwards=False)` the commit.
        """
        self._faults.append(_Fault(toward, self._drop, pattern=pattern, forwards=forwards))

    def stall_at(self, pattern: bytes, toward: Toward = "server", *, forwards: bool = True) -> None:
        """Let no byte pass, on any connection, once these have; with `forwards=False` nor these."""
        self._faults.append(_Fault(toward, self._stall, pattern=pattern, forwards=forwards))

    def forget(self) -> None:
        """Let nothing happen of what has not happened yet."""
        self._faults.clear()

    def _drop(self, link: _Link) -> None:
        link.drop(reset=self.resets)

    def _stall(self, link: _Link) -> None:
        self.stall()

    # Passing on

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        link = _Link(writer)
        self._links.add(link)
        try:
            if not self.hangs_up:
                await self._pass_on(link, reader)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._links.discard(link)
            link.drop()

    async def _pass_on(self, link: _Link, reader: asyncio.StreamReader) -> None:
        first = b"" if self._tls is None else await self._negotiated(link, reader)
        if first is None:
            return
        answers, link.server = await asyncio.open_connection(*self._target)
        link.server.write(first)
        link.pumps = [
            asyncio.ensure_future(self._pump(link, reader, link.server, "server")),
            asyncio.ensure_future(self._pump(link, answers, link.client, "client")),
        ]
        await asyncio.wait(link.pumps, return_when=asyncio.FIRST_COMPLETED)
        for writer in (link.client, link.server):
            writer.close()
        for pump in link.pumps:
            pump.cancel()
        await asyncio.gather(*link.pumps, return_exceptions=True)

    async def _negotiated(self, link: _Link, reader: asyncio.StreamReader) -> bytes | None:
        """Begin TLS where the client asks for it, and return what it has said instead; None for one to be refused."""
        assert self._tls is not None
        await self._flows["server"].wait()
        said = await reader.readexactly(len(TLS_REQUEST))
        if said == TLS_REQUEST:
            link.client.write(b"S")
            await link.client.start_tls(self._tls)
            return b""
        if self._insists:
            link.client.write(_refusal("28000", "no pg_hba.conf entry for the host, no encryption"))
            await link.client.drain()
            link.client.close()
            return None
        return said

    async def _pump(
        self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, toward: Toward
    ) -> None:
        while chunk := await reader.read(CHUNK):
            if self.delay:
                await asyncio.sleep(self.delay)
            await self._flows[toward].wait()
            if self.nonsense and toward == "client":
                chunk = self.nonsense
            fault, passes = self._judged(link, toward, chunk)
            writer.write(chunk[:passes])
            await writer.drain()
            if fault is not None:
                fault.act(link)
                await self._flows[toward].wait()
                if writer.transport.is_closing():
                    return
                writer.write(chunk[passes:])
                await writer.drain()

    def _judged(self, link: _Link, toward: Toward, chunk: bytes) -> tuple[_Fault | None, int]:
        """Return the first fault that a chunk sets off, and how many bytes of it pass before that."""
        seen = link.seen[toward]
        link.seen[toward] = (seen + chunk)[-256:]
        for fault in self._faults:
            if fault.toward == toward and (passes := fault.cut(seen, chunk)) is not None:
                link.seen[toward] = b""
                self._faults.remove(fault)
                return fault, passes
        return None, len(chunk)


def _refusal(state: str, text: str) -> bytes:
    """Return how a server of PostgreSQL refuses a client."""
    fields = f"SFATAL\0VFATAL\0C{state}\0M{text}\0\0".encode()
    return b"E" + struct.pack("!i", len(fields) + 4) + fields
