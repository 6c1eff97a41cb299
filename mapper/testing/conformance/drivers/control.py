"""
What the cases for cache drivers need of whoever runs them: drivers, a way to let time pass, and a server to be broken.

What a tester offers goes in; each case is handed a `Bench` that is made of it.
"""

from collections.abc import Awaitable, Callable
from typing import Final, Literal, Protocol, TypeAlias, get_args
from uuid import uuid4

from anyio import sleep
from attrs import define, field

from mapper.cache.driver import CacheDriver

__all__ = ["FAULTS", "Advance", "Bench", "Fault", "ServerControl"]

Fault: TypeAlias = Literal["stop", "flush", "delay", "cut", "corrupt", "fill"]
"""What can be done to a server: each is the method of `ServerControl` that is called so."""

FAULTS: Final[frozenset[Fault]] = frozenset(get_args(Fault))

Advance: TypeAlias = Callable[[int], Awaitable[None]]
"""Lets a number of milliseconds pass on the clock that the drivers go by."""


class ServerControl(Protocol):
    """
    A hand on the server that the drivers of a case speak to.

    Only the methods whose faults are offered are called. Each returns when the server is as it says, and `restore` is
    called at the end of every case, whatever happened in it.
    """

    @property
    def command_timeout(self) -> float:
        """How many seconds the drivers wait for an answer before they raise `CacheTimeout`."""
        ...

    async def stop(self) -> None:
        """Stop the server, or have it refuse connections: open ones are lost, new ones cannot be made."""
        ...

    async def start(self) -> None:
        """Start it after `stop`, on the same address; whether it still has its keys is left open."""
        ...

    async def flush(self) -> None:
        """Remove every key, behind the drivers' back."""
        ...

    async def delay(self, seconds: float) -> None:
        """Hold back each answer for so long from now on; 0 ends it."""
        ...

    async def cut(self, after: int) -> None:
        """Pass on so many bytes of what the server answers from now on, then lose the connection; once."""
        ...

    async def corrupt(self, key: str) -> None:
        """Put something at a key that no driver puts there, such as a list where there should be bytes."""
        ...

    async def fill(self) -> None:
        """Have the server refuse to keep anything more, for want of memory; what it keeps can still be read."""
        ...

    async def restore(self) -> None:
        """Undo all of the above, and whatever it left: the server runs, answers at once and has room."""
        ...


@define
class Bench:
    """
    What a case works with.

    Attributes:
        driver: The driver.
        make: Makes another driver over the same store, where the store is not the driver itself; it is closed at the
            end of the case.
        control: The server's control, if there is one.
        advance: Lets time pass on the drivers' clock, if it can be done.
        prefix: What the keys of the case begin with: of no other case, and literal in every driver.
    """

    driver: CacheDriver
    make: Callable[[], CacheDriver]
    control: ServerControl | None = None
    advance: Advance | None = None
    prefix: str = field(factory=lambda: f"conformance-{uuid4().hex[:12]}:1:")

    @property
    def server(self) -> ServerControl:
        """The server's control, for cases that have said what they do with it."""
        assert self.control is not None, "a case that needs no fault of a server asked for its control"
        return self.control

    @property
    def shared(self) -> bool:
        """Whether several drivers see the same keys."""
        return self.driver.info.scope != "process"

    def key(self, name: str = "key") -> str:
        """Return the key of an entry."""
        return f"{self.prefix}e:{name}"

    def tag(self, name: str = "tag") -> str:
        """Return the key of a tag."""
        return f"{self.prefix}t:{name}"

    def ttl(self, ms: int) -> int:
        """Return a time to live of so many milliseconds, or the shortest that the driver can count, if that is more."""
        return max(ms, self.driver.info.min_ttl_ms)

    async def pass_time(self, ms: int) -> None:
        """Let time pass; really, where there is no clock to be advanced."""
        if self.advance is not None:
            await self.advance(ms)
        else:
            await sleep(ms / 1000)

    async def outlive(self, ttl_ms: int) -> None:
        """Let a time to live pass: to the millisecond with a clock, with some tolerance without."""
        info = self.driver.info
        tolerance = 0 if self.advance is not None else max(30, info.min_ttl_ms)
        await self.pass_time(ttl_ms + info.overdue_ms + tolerance)
