"""
What a request had from the cache: the header `X-Cache` of its answer, and the counts that a page shows.

A cache tells of its events in the task that reads, so that a context variable of the request tells whose they are; the
tasks that a read starts inherit it.
"""

from contextvars import ContextVar
from dataclasses import dataclass

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mapper.cache import CacheEvent

__all__ = ["CacheHeader", "Seen", "note", "seen"]


@dataclass(slots=True)
class Seen:
    """How many reads of a request the cache served, and how many went to the database."""

    hits: int = 0
    misses: int = 0

    @property
    def word(self) -> str:
        """`hit` where nothing was read from the database, `miss` where something was, `none` where nothing was read."""
        return "miss" if self.misses else "hit" if self.hits else "none"


_seen: ContextVar[Seen] = ContextVar("seen")


def seen() -> Seen:
    """Return the counts of this request; those of nobody outside of one."""
    return _seen.get(Seen())


def note(event: CacheEvent) -> None:
    """Count an event for the request that it happened in: `cache.subscribe(note)`."""
    counts = seen()
    if event.kind == "hit":
        counts.hits += 1
    elif event.kind == "miss":
        counts.misses += 1


class CacheHeader:
    """Middleware that counts for each request, and adds the header."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        counts = Seen()

        async def send_with_header(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Cache"] = counts.word
                headers["X-Cache-Reads"] = f"hits={counts.hits}, misses={counts.misses}"
            await send(message)

        token = _seen.set(counts)
        try:
            await self._app(scope, receive, send_with_header)
        finally:
            _seen.reset(token)
