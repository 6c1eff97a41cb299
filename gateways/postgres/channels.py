"""
`PostgresChannels`: relations whose rows are notifications.

A gateway of PostgreSQL goes in; one comes out whose relations are channels: what is inserted is sent with the commit, and
a query gives what is sent from now on, without an end.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, NoReturn, TypeAlias

from typing_extensions import TypeVar

from gateways.postgres.listening import Notes, listen
from gateways.postgres.messages import MESSAGE_CODECS, distinguished, read_message, written_message
from gateways.postgres.notes import Missed, Note, checked_channel
from gateways.postgres.notifying import notify
from gateways.postgres.sources import gateway_of
from mapper.capabilities import Capabilities
from mapper.columns import ColumnInfo
from mapper.delegating import DelegatingGateway
from mapper.errors import ConnectionLost, QueryError, StoreError, Unsupported
from mapper.expressions import Attribute, Slot
from mapper.gateway import Batches, Decode, Gateway
from mapper.operations import Call, Operation
from mapper.relation import info
from mapper.statements import AddColumn, CreateSchema, DropSchema, FromRelation, InsertRows, Select, Statement
from mapper.types import Codecs

__all__ = ["PostgresChannels"]

T = TypeVar("T")
S = TypeVar("S")

OnMissed: TypeAlias = Callable[[Missed], object]

LISTEN: Final = "listen"

CAPABILITIES: Final = Capabilities(
    gateway="postgres channels",
    transactions=True,
    savepoints=True,
    isolation_levels=frozenset({"read uncommitted", "read committed", "repeatable read", "serializable"}),
    read_only=True,
    streaming=True,
    native_json=True,
    listen=True,
)


class PostgresChannels(DelegatingGateway):
    """
    PostgreSQL's notifications as a gateway: the rows of a relation are messages, its name is their channel.

    ```
    feed = Feed(PostgresChannels(gateway))  # class Feed(Repository[Jobs])
    async for job in select(Job).from_(Jobs).execute(feed):
        ...
    ```

    A message is a JSON object of the relation's columns. `changes.inserts(Jobs).push(job)` sends one with the commit;
    one that is sent otherwise is read as well, if it looks like that. Equal messages of one changeset all come; of several
    changesets in one transaction the server sends equal ones once. A query gives models, wrappers or columns of one
    relation, from the moment at which it is iterated; it ends when it is left, and `limit(n)` ends it after so many:
    `await query.first(feed)` waits for the next message. Nothing else of a query can be had: nothing is stored.

    Where messages may have been missed, a query raises `ConnectionLost` or `StoreError`, both retryable, unless
    `on_missed` is given. Everything of `listen` holds.

    Args:
        gateway: A gateway of PostgreSQL. It is closed with this one.
        buffer: How many messages wait for being taken, at most.
        on_missed: Called with each `Missed` instead; the query goes on.

    Raises:
        Unsupported: The gateway is of another store.
    """

    def __init__(self, gateway: Gateway, *, buffer: int = 1000, on_missed: OnMissed | None = None) -> None:
        gateway_of(gateway, "listen")
        super().__init__(gateway)
        self._buffer = buffer
        self._on_missed = on_missed

    @property
    def name(self) -> str:  # type: ignore[override]  # its own, as of every gateway
        """Its own name."""
        return CAPABILITIES.gateway

    @property
    def capabilities(self) -> Capabilities:  # type: ignore[override]  # read-only, as everywhere
        """What can be done with what is not stored."""
        return CAPABILITIES

    @property
    def codecs(self) -> Codecs:  # type: ignore[override]  # as above
        """How values travel in messages."""
        return MESSAGE_CODECS

    # -- compiling -----------------------------------------------------------------------------------------------------

    def compile(self, statement: Statement) -> Operation:
        """
        Compile an insert to notifications, and a query to listening.

        Raises:
            Unsupported: It is neither, or asks for more than the messages of one relation.
            ValueNotStorable: A value cannot be sent, or a message has more than 7,999 bytes.
        """
        if isinstance(statement, InsertRows):
            return _notification(statement)
        assemble = getattr(statement, "assemble", None)
        if assemble is None:
            _refuse(type(statement).__name__)
        return _listening(assemble(), statement.parameters)  # type: ignore[union-attr]  # a query, as only queries assemble

    def compile_schema(self, change: CreateSchema | DropSchema | AddColumn) -> Sequence[Operation]:
        """Return nothing: a channel needs no schema."""
        del change
        return ()

    # -- running -------------------------------------------------------------------------------------------------------

    async def fetch(self, operation: Operation, decode: Decode[T]) -> list[T]:
        """
        Wait for as many messages as are asked for, and return them.

        Raises:
            Unsupported: All are asked for, and there is no last one.
        """
        if isinstance(operation, Call) and operation.name == LISTEN and operation.arguments[2] is None:
            raise Unsupported(
                "endless",
                self.name,
                "all messages are asked for, and there is no last one",
                hint="iterate execute(…), or ask for some: limit(10)",
            )
        batches = await self.stream(operation, decode)
        rows: list[T] = []
        try:
            while (batch := await batches.next()) is not None:
                rows.extend(batch)
        finally:
            await batches.aclose()
        return rows

    async def stream(self, operation: Operation, decode: Decode[T]) -> Batches[T]:
        """Listen, and return the messages in batches, each of what is there when it is asked for."""
        if not isinstance(operation, Call) or operation.name != LISTEN:
            return await self.inner.stream(operation, decode)
        relation, columns, limit = operation.arguments
        notes = listen(self.inner, _channel(relation), buffer=self._buffer)
        await notes.__aenter__()
        return _Messages(notes, columns, limit, decode, self._on_missed)


class _Messages(Generic[T]):
    """Messages as they come; see `mapper.gateway.Batches`."""

    def __init__(
        self,
        notes: Notes,
        columns: Sequence[ColumnInfo],
        limit: int | None,
        decode: Decode[T],
        on_missed: OnMissed | None,
    ) -> None:
        self._notes = notes
        self._columns = columns
        self._left = limit
        self._decode = decode
        self._on_missed = on_missed
        self._error: Exception | None = None

    @property
    def holds(self) -> bool:
        """It holds no connection of the pool."""
        return False

    async def next(self) -> Sequence[T] | None:
        """Wait for messages, and return those that are there; None at the end."""
        rows: list[tuple[Any, ...]] = []
        while not rows:
            await self._end_if_over()
            notes = await self._notes.some(self._left)
            if not notes:
                return None
            self._read(notes, rows)
        if self._left is not None:
            self._left -= len(rows)
        return self._decode(rows, ())

    async def _end_if_over(self) -> None:
        """Listen no more behind the last message that was asked for, or behind an error, which is raised."""
        if self._left == 0 or self._error is not None:
            await self.aclose()
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _read(self, notes: Sequence[Note | Missed], rows: list[tuple[Any, ...]]) -> None:
        """Add the rows of notes, up to what cannot be read, which is told behind them."""
        try:
            for each in notes:
                if isinstance(each, Missed):
                    self._tell(each)
                else:
                    rows.append(read_message(each, self._columns))
        except Exception as error:
            self._error = error

    def _tell(self, missed: Missed) -> None:
        if self._on_missed is not None:
            self._on_missed(missed)
            return
        hint = "look at the data itself and listen again, or give PostgresChannels an on_missed"
        if missed.reason == "reconnected":
            raise ConnectionLost(
                f"messages of {missed.channel!r} may be missing: nobody listened for a while", hint=hint
            )
        raise StoreError(
            f"{missed.count} messages of {missed.channel!r} are missing: more came than were taken",
            hint=hint,
            retryable=True,
        )

    async def fetch(self, operation: Operation, decode: Decode[S]) -> list[S]:
        """Refuse: see `holds`."""
        del operation, decode
        raise QueryError("a query of messages holds no connection", hint="read on the repository")

    async def aclose(self) -> None:
        """Listen no more."""
        await self._notes.aclose()

    def abandon(self) -> None:
        """Listen no more, without waiting."""
        self._notes.abandon()


def _notification(statement: InsertRows) -> Call:
    if statement.conflict is not None:
        _refuse("on_conflict")
    unknown = [each.attribute for each in statement.returning if each not in statement.columns]
    if unknown:
        _refuse(f"a value of {unknown[0]!r} that the store makes")
    channel, original = _channel(statement.relation), info(statement.relation).original
    texts = distinguished([written_message(statement.columns, row) for row in statement.rows])
    sent = [notify(channel, each).arguments[0] for each in texts]
    return Call("notify", tuple(sent), writes=frozenset({original}))


def _listening(select: Select, parameters: Sequence[Any]) -> Call:
    source = select.source
    more = [name for name in _LISTS if getattr(select, name)]
    more += [name for name in ("offset", "lock") if getattr(select, name) is not None]
    if more or not isinstance(source, FromRelation):
        _refuse(more[0] if more else "a query of no relation")
    columns = [each.column for each in select.items if isinstance(each, Attribute)]
    if len(columns) != len(select.items):
        _refuse("an expression")
    limit = select.limit
    number = parameters[limit.index] if isinstance(limit, Slot) else None
    original = info(source.relation).original
    return Call(LISTEN, (original, tuple(columns), number), reads=frozenset({original}))


_LISTS: Final = ("joins", "where", "group_by", "having", "order_by", "distinct", "distinct_on", "compound", "ctes")


def _refuse(what: str) -> NoReturn:
    raise Unsupported(
        what, "postgres channels", f"{what} of messages cannot be had, which are sent and not stored", hint=_HINT
    )


_HINT: Final = "select all messages of one relation, and choose among them as they come"


def _channel(relation: Any) -> str:
    described = info(relation)
    return checked_channel(described.name)
