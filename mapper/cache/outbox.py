"""
The outbox: what a commit changes, written down in the same transaction, so that a process which dies behind its commit
leaves word.

Tags go in; a row of a table of the framework's own keeps them until they have been changed.
"""

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import anyio
import msgspec
from attrs import frozen

from mapper.assembly import Clause
from mapper.cache.background import Background
from mapper.cache.events import Events
from mapper.cache.keeper import Keeper, Marked
from mapper.columns import Column, column
from mapper.errors import MapperError, StatementError
from mapper.gateway import Connection, Gateway
from mapper.operations import Result
from mapper.projection import ExprItem, Projection, decoder
from mapper.relation import Relation, info
from mapper.statements import DeleteRows, InsertRows
from mapper.types import Varchar
from mapper.walking import Walk

__all__ = ["CacheNotes", "Outbox"]

BATCH: Final = 500
MOST_DONE: Final = 10_000


@frozen
class CacheNote:
    """The tags that one commit changes, as JSON, and when it was."""

    tags: str
    written_at: datetime


class CacheNotes(Relation[CacheNote, str], name="mapper_cache_outbox"):
    """The table of what is to be changed in the cache, which `push_schema` makes where a cache has an outbox."""

    id: Column[str] = column(primary_key=True, type=Varchar(32))
    tags: Column[str]
    written_at: Column[datetime] = column(index=True)


class Outbox:
    """
    Writes notes, and does what they say.

    Args:
        keeper: Changes tags.
        background: Where notes are taken away again that are done.
        grace: Seconds after which a note that is still there counts as left behind.
    """

    def __init__(self, keeper: Keeper, background: Background, *, grace: float) -> None:
        self._keeper = keeper
        self._background = background
        self._grace = timedelta(seconds=grace)
        # Notes that are done, by their gateway, while somebody takes them away.
        self._done: dict[Gateway, list[str]] = {}

    async def write(self, gateway: Gateway, connection: Connection, tags: Sequence[str]) -> str:
        """Write tags down in the transaction of a connection, and return the note's id."""
        note = os.urandom(16).hex()
        described = info(CacheNotes)
        row = (note, msgspec.json.encode(list(tags)).decode(), datetime.now(UTC))
        try:
            await connection.execute(gateway.compile(InsertRows(CacheNotes, described.columns, [row])))
        except StatementError as error:
            error.add_note("an outbox keeps its notes in the table mapper_cache_outbox, which push_schema makes")
            raise
        return note

    def forget(self, gateway: Gateway, note: str) -> None:
        """Take a note away that is done, behind the commit: with those of other commits, where there are some."""
        waiting = self._done.get(gateway)
        if waiting is not None:
            if len(waiting) < MOST_DONE:  # any other is done again by whoever relays, which does no harm
                waiting.append(note)
            return
        self._done[gateway] = [note]

        def dropped() -> None:
            self._done.pop(gateway, None)

        if not self._background.start(self._forget(gateway), dropped=dropped):
            dropped()

    async def _forget(self, gateway: Gateway) -> None:
        try:
            while notes := self._done[gateway][:BATCH]:
                await gateway.execute(gateway.compile(DeleteRows(CacheNotes, [(each,) for each in notes])))
                del self._done[gateway][: len(notes)]
        except MapperError:
            return  # it is done again by whoever relays next, which does no harm
        finally:
            del self._done[gateway]

    async def relay_for_ever(self, gateway: Gateway, pause: float, events: Events) -> None:
        """Relay again and again, with so many seconds from one turn to the next."""
        while True:
            try:
                while await self.relay(gateway) == BATCH:
                    pass
            except MapperError as error:
                # What errors of stores say may have a value in it.
                events.tell("error", type(error).__name__)
            await anyio.sleep(pause)

    async def relay(self, gateway: Gateway) -> int:
        """
        Do what notes say that were left behind, and return how many there were.

        Raises:
            StoreError, CacheError: What the store or the cache answered; the notes stay.
        """
        items = (CacheNotes.id, CacheNotes.tags)
        clauses = (
            Clause("from", payload=CacheNotes),
            Clause("where", (CacheNotes.written_at < datetime.now(UTC) - self._grace,)),
        )
        decode = decoder(Projection(tuple([ExprItem(each) for each in items])), (), gateway.codecs)
        answer: Result = await gateway.execute(gateway.compile(Walk(items, clauses)))
        found: list[tuple[str, str]] = list(decode(answer.rows, ()))[:BATCH]
        if not found:
            return 0
        tags = sorted({tag for _, text in found for tag in msgspec.json.decode(text, type=list[str])})
        await self._keeper.end(Marked(tags))
        if not self._keeper.pending:
            await gateway.execute(gateway.compile(DeleteRows(CacheNotes, [(each,) for each, _ in found])))
        return len(found)
