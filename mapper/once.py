"""
Commits that take effect once, however often they are sent.

A changeset and an id go in. The id is kept with a digest of the changeset and what the commit gave, in a table of the
framework's own and in the same transaction as the writes. Whoever sends the id again gets what the first commit gave,
and nothing is written; commits of one id at the same time wait for each other at the row of that id.
"""

import re
from collections.abc import Generator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from attrs import frozen

from mapper.assembly import Clause, counter
from mapper.checking import conflict_rule
from mapper.columns import Column, ColumnInfo, column
from mapper.committed import IGNORED, UNKNOWN, Committed
from mapper.encoding import Unencodable, digest
from mapper.errors import OnceConflict, QueryError, StatementError
from mapper.expressions import Assignment, Expr
from mapper.gateway import Gateway, Program
from mapper.insertion import conflict_of
from mapper.operations import Operation, Outcome, Result
from mapper.portable import portable, restored
from mapper.projection import ExprItem, Projection, decoder
from mapper.relation import Relation, info
from mapper.returned import Returned
from mapper.stages import shape_key
from mapper.statements import Delete, InsertRows
from mapper.statements import Update as UpdateStatement
from mapper.types import Varchar
from mapper.walking import Walk
from mapper.writes import Deletion, PushedRows, Update, Write

__all__ = ["ONCE_TTL", "CommitRecords", "Once", "once_of"]

ONCE_TTL: Final = timedelta(days=30)
"""How long an id is kept."""

LONGEST_ID: Final = 200
VERSION: Final = 2
PURGED: Final = 256
"""One commit in so many takes records away that have expired."""


@frozen
class CommitRecord:
    """What is kept of a commit: a digest of what was written, what it gave, and until when."""

    digest: bytes
    result: bytes | None
    expires_at: datetime


class CommitRecords(Relation[CommitRecord, str], name="mapper_commits"):
    """The table of ids, which `push_schema` makes beside the repository's own."""

    id: Column[str] = column(primary_key=True, type=Varchar(LONGEST_ID))
    digest: Column[bytes]
    result: Column[bytes | None]
    expires_at: Column[datetime] = column(index=True)


@frozen(eq=False)
class Once:
    """
    One commit that is to take effect once.

    Attributes:
        id: Given by the user.
        digest: Of the changeset, as the user built it: defaults are not in it.
        writes, numbers: Of the changeset.
        ttl: How long the id is kept.
    """

    id: str
    digest: bytes
    writes: Sequence[Write]
    numbers: Sequence[int]
    ttl: timedelta

    def program(self, work: Program[None], gateway: Gateway, done: Committed) -> Generator[Operation, Result, None]:
        """
        Return a program that does the work unless it was done before; then `done` is filled with what it gave.

        Raises:
            OnceConflict: The id was used for other work.
        """
        now = datetime.now(UTC)
        try:
            claimed = yield _claim(self, gateway, now)
        except StatementError as error:
            error.add_note("once=… keeps its ids in the table mapper_commits, which push_schema makes")
            raise
        if claimed.ignored:
            work.close()
            yield from self._again(gateway, done)
            return
        yield from work
        yield _finish(self, gateway, _packed(done, self))
        if digest(self.id, size=2)[0] % PURGED == 0:
            yield _purge(gateway, now)

    def slots(self) -> dict[int, Returned[Any]]:
        """Return by their numbers the slots that something comes back for."""
        found = [each.returned for each in self.writes if isinstance(each, PushedRows | Update | Deletion)]
        return {each.number: each for each in found if each is not None}

    def _again(self, gateway: Gateway, done: Committed) -> Generator[Operation, Result, None]:
        items = (CommitRecords.digest, CommitRecords.result)
        clauses = (Clause("from", payload=CommitRecords), Clause("where", (CommitRecords.id == self.id,)))
        answer = yield gateway.compile(Walk(items, clauses))
        found = decoder(Projection(tuple([ExprItem(each) for each in items])), (), gateway.codecs)(answer.rows, ())
        if not found or found[0][1] is None:
            raise OnceConflict(f"the commit of {self.id!r} left no result", hint="use another id")
        known, result = found[0]
        if known != self.digest:
            raise OnceConflict(
                f"the id {self.id!r} was used by a commit with another content",
                hint="give each piece of work an id of its own",
            )
        _unpack(result, done, self)


def once_of(
    id_: object, ttl: object, writes: Sequence[Write], numbers: Sequence[int], then: Sequence[Any], relations: Any
) -> Once:
    """
    Return what is kept of a commit.

    Raises:
        QueryError: The id or its time is none, or a value of the changeset has no digest.
    """
    if not isinstance(id_, str) or not 0 < len(id_) <= LONGEST_ID or "\x00" in id_:
        raise QueryError(f"once is {id_!r}, expected an id of 1 to {LONGEST_ID} characters")
    kept = ttl if isinstance(ttl, timedelta) else _seconds(ttl)
    if kept <= timedelta(0):
        raise QueryError(f"once_ttl is {ttl!r}, expected a time to keep the id for")
    names = _Names(relations)
    contents = sorted([each for write in writes for each in write.contents()], key=lambda each: each[0])  # type: ignore[arg-type,return-value]  # the position
    try:
        found = digest([[names.write(each) for each in contents], list(then)], size=32)
    except Unencodable as error:
        raise QueryError(
            f"the changeset cannot be told from another: {error}", hint="once takes plain values and documents"
        ) from error
    return Once(id_, found, writes, numbers, kept)


def _seconds(ttl: object) -> timedelta:
    if isinstance(ttl, bool) or not isinstance(ttl, int | float):
        raise QueryError(f"once_ttl is {ttl!r}, expected seconds or a timedelta")
    return timedelta(seconds=ttl)


class _Names:
    """Relations by names that are the same in every process, in the place of their tokens."""

    def __init__(self, relations: Any) -> None:
        tokens = {info(each).token: f"{each.__module__}.{each.__qualname__}" for each in relations}
        pattern = "|".join([re.escape(each) for each in tokens])
        self._tokens = tokens
        self._pattern = re.compile(f"(?:{pattern})(?![0-9])") if tokens else None

    def write(self, content: tuple[Any, ...]) -> tuple[Any, ...]:
        """
        Return the content of a write without what is of this process alone. The names of relations are in its shape;
        values are left as they are.
        """
        match content:
            case (position, "insert", token, given, rule, values):
                return position, "insert", self._shape(token), given, self._rule(rule), values
            case (position, "update row", token, key, values, row):
                return position, "update row", self._shape(token), self._shape(key), values, row
            case (position, "delete row", token, row):
                return position, "delete row", self._shape(token), row
            case (position, kind, token, *parts, keys, values):
                return position, kind, self._shape(token), parts, [self._shape(each) for each in keys], values
            case _:
                raise AssertionError(f"unknown content of a write: {content!r}")

    def _rule(self, rule: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        if rule is None:
            return None
        *parts, keys, values = rule
        return (*parts, [self._shape(each) for each in keys], values)

    def _shape(self, text: str) -> str:
        return text if self._pattern is None else self._pattern.sub(lambda found: self._tokens[found[0]], text)


# -- operations --------------------------------------------------------------------------------------------------------


def _claim(once: Once, gateway: Gateway, now: datetime) -> Operation:
    """Keep the id, or take over one that has expired; another one stays and is ignored."""
    described = info(CommitRecords)
    rule = conflict_rule(
        described,
        (CommitRecords.id,),
        (CommitRecords.digest, CommitRecords.result, CommitRecords.expires_at),
        (),
        CommitRecords.expires_at < now,
        None,
    )
    row = (once.id, once.digest, None, now + once.ttl)
    return gateway.compile(InsertRows(CommitRecords, described.columns, [row], conflict=conflict_of(rule)))


def _finish(once: Once, gateway: Gateway, result: bytes) -> Operation:
    assignment: Assignment[Any] = CommitRecords.result.to(result)
    assigned = [(assignment.attribute.column, assignment.expression)]
    condition = CommitRecords.id == once.id
    take = counter()
    return gateway.compile(
        UpdateStatement(
            CommitRecords,
            tuple([(each, expression.numbered(take)) for each, expression in assigned]),
            (condition.numbered(take),),
            shape_key(assigned, (condition,)),
            (*assignment.expression.parameters, *condition.parameters),
        )
    )


def _purge(gateway: Gateway, now: datetime) -> Operation:
    condition: Expr[bool, Any] = CommitRecords.expires_at < now
    where = (condition.numbered(counter()),)
    return gateway.compile(Delete(CommitRecords, where, shape_key((), (condition,)), condition.parameters))


# -- results -----------------------------------------------------------------------------------------------------------


def _packed(done: Committed, once: Once) -> bytes:
    keys = [_packed_key(key, once, position) for position, key in enumerate(done._keys)]
    back = {number: _packed_rows(once.slots()[number], rows) for number, rows in done._back.items()}
    counts = (done.inserted, done.updated, done.deleted, done.ignored)
    return msgspec.msgpack.encode([VERSION, *counts, keys, done._outcomes, back])


def _packed_rows(slot: Returned[Any], rows: Sequence[tuple[int, tuple[Any, ...]]]) -> list[Any]:
    return [
        (place, [_portable(column, each) for column, each in zip(slot.columns, values, strict=True)])
        for place, values in rows
    ]


def _portable(column: ColumnInfo, value: Any) -> Any:
    return None if value is None else portable(column.type, value)


def _packed_key(key: Any, once: Once, position: int) -> Any:
    if key is UNKNOWN:
        return None
    if key is IGNORED:
        return False
    columns = once.writes[once.numbers[position]].described.primary_key
    values = key if len(columns) > 1 else (key,)
    return [portable(each.type, value) for each, value in zip(columns, values, strict=True)]


def _unpack(result: bytes, done: Committed, once: Once) -> None:
    try:
        _, done.inserted, done.updated, done.deleted, done.ignored, keys, outcomes, back = msgspec.msgpack.decode(
            result, type=tuple[int, int, int, int, int, list[Any], dict[int, Outcome], dict[int, list[Any]]]
        )
        done._keys[:] = [_unpacked_key(key, once, position) for position, key in enumerate(keys)]
        done._outcomes = outcomes
        slots = once.slots()
        done._back = {number: [_unpacked_row(slots[number], each) for each in rows] for number, rows in back.items()}
    except (ValueError, TypeError, KeyError, msgspec.DecodeError) as error:
        raise OnceConflict(
            f"what the commit of {once.id!r} gave cannot be read", hint="it was written by another version"
        ) from error


def _unpacked_row(slot: Returned[Any], row: tuple[int, list[Any]]) -> tuple[int, tuple[Any, ...]]:
    place, values = row
    cells = zip(slot.columns, values, strict=True)
    return place, tuple([None if each is None else restored(column.type, each) for column, each in cells])


def _unpacked_key(key: Any, once: Once, position: int) -> Any:
    if key is None:
        return UNKNOWN
    if key is False:
        return IGNORED
    columns = once.writes[once.numbers[position]].described.primary_key
    values = tuple([restored(each.type, value) for each, value in zip(columns, key, strict=True)])
    return values if len(columns) > 1 else values[0]
