"""
Reads of several rows by their keys: each row is kept by itself, and those that are missing are read at once.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mapper.cache.background import Background
from mapper.cache.entries import SERVED
from mapper.cache.envelope import Envelope
from mapper.cache.events import Events
from mapper.cache.keeper import Keeper
from mapper.cache.keys import canonical_key
from mapper.cache.operations import CachedRead
from mapper.cache.reading import Missing, Reader
from mapper.cache.row_requests import Raw, RowsRequest, captured
from mapper.cache.shapes import Shape, text_of
from mapper.encoding import Unencodable
from mapper.errors import CacheMiss
from mapper.gateway import Gateway

__all__ = ["ManyReads"]


class ManyReads:
    """Reads lists of keys; see the module."""

    __slots__ = ("_background", "_events", "_keeper", "_reader")

    def __init__(self, reader: Reader, keeper: Keeper, events: Events, background: Background) -> None:
        self._reader = reader
        self._keeper = keeper
        self._events = events
        self._background = background

    async def read(self, read: CachedRead, gateway: Gateway) -> Raw | None:
        """
        Return the rows of a read of several keys, in the order of the keys.

        None where that is not for here: nothing is to be served or kept, a key has no name of its own, or the store
        gave a row whose key it takes for equal to one of these, and Python does not.

        Raises:
            CacheMiss: The read asks for what is kept alone, and one of its rows is not.
        """
        shape = read.shape
        if shape.mode == "off":
            return None
        rows = _Rows(read, gateway)
        wanted = rows.wanted
        if not wanted or len(wanted) > shape.times.policy.max_rows:
            return None
        shared = len(shape.shared)
        tags = (*shape.shared, shape.absence, *[each.tags[shared] for each in wanted.values()])
        keys = () if shape.mode == "refresh" else tuple([each.key for each in wanted.values()])
        looked = await self._keeper.look_up(keys, tags, shape.times.lookup)
        if looked is None or looked.stamps is None:
            if shape.mode == "only":
                raise _missing(shape)
            return None
        # Behind the driver's identity come the shared stamps, that of absence, and one for each key.
        first, absence, own = looked.stamps[: shared + 1], looked.stamps[shared + 1], looked.stamps[shared + 2 :]
        vouching = {key: (*first, each, absence) for key, each in zip(wanted, own, strict=True)}
        data = looked.values if keys else (None,) * len(wanted)
        found, missing = self._served(rows, vouching, data)
        if missing:
            if shape.mode == "only":
                raise _missing(shape)
            try:
                found.update(await self._reader.together(missing, rows.load))
            except _OtherKey:
                return None
        return [row for key in wanted for row in found[key][0]], ()

    def _served(
        self, rows: "_Rows", vouching: Mapping[Any, tuple[bytes, ...]], data: Sequence[bytes | None]
    ) -> tuple[dict[Any, Raw], dict[Any, Missing[Raw]]]:
        """Return what is served of what is kept, and what is missing; and do behind it what is due."""
        found: dict[Any, Raw] = {}
        missing: dict[Any, Missing[Raw]] = {}
        refreshed: list[Any] = []
        verified: list[tuple[Any, Envelope]] = []
        for (key, request), kept in zip(rows.wanted.items(), data, strict=True):
            stamps = vouching[key]
            reason, envelope, value = self._reader.entries.found(request, kept, stamps)
            if envelope is None or value is None or reason not in SERVED:
                told = "refresh" if request.mode == "refresh" else reason
                self._events.tell("miss", told, relations=request.relations)
                missing[key] = Missing(request, stamps, envelope)
                if reason == "corrupt":
                    self._background.start(self._keeper.forget(request.key))
                continue
            found[key] = value
            due = self._reader.due(request, envelope, stamps, soft=reason == "soft")
            if due == "refresh":
                refreshed.append(key)
            elif due:
                verified.append((key, envelope))
        if refreshed:
            self._reader.refresh([(rows.wanted[key], vouching[key]) for key in refreshed], lambda: rows.load(refreshed))
        if verified:
            self._background.start(self._verified(rows, vouching, verified))
        return found, missing

    async def _verified(
        self, rows: "_Rows", vouching: Mapping[Any, tuple[bytes, ...]], served: Sequence[tuple[Any, Envelope]]
    ) -> None:
        """Compare rows that were served with the store, which is asked once for all of them."""
        values = await rows.load([key for key, _ in served])
        for (key, envelope), value in zip(served, values, strict=True):
            await self._reader.compare(rows.wanted[key], envelope, vouching[key], value)


class _OtherKey(Exception):
    """The store gave a row whose key nobody asked for."""


class _RowRequest(RowsRequest):
    """The row of one key of several."""

    __slots__ = ("name", "rows")

    name: Any
    rows: "_Rows"

    async def load(self) -> Raw:
        (value,) = await self.rows.load([self.name])
        return value


class _Rows:
    """
    The rows of one list of keys.

    Attributes:
        wanted: The request for each key, by its canonical form; empty where a key has none, or no name.
    """

    __slots__ = ("_gateway", "_read", "_values", "wanted")

    def __init__(self, read: CachedRead, gateway: Gateway) -> None:
        self._read = read
        self._gateway = gateway
        self.wanted: dict[Any, RowsRequest] = {}
        # The keys as they were given, by their canonical form.
        self._values: dict[Any, Any] = {}
        shape, plan = read.shape, read.shape.plan
        parameters = list(read.statement.parameters)
        described, listed = plan.relations[0], parameters[plan.list_at]
        text, _ = text_of(read.operation, read.statement)
        prefix = shape.prefix("keys", text)
        parameters[plan.list_at] = None
        for value in listed:
            key = canonical_key(described, (value,))
            if key is None:
                self.wanted = {}
                return
            if key[0] in self.wanted:
                continue
            try:
                name, digest = prefix.key((parameters, key))
            except Unencodable:
                self.wanted = {}
                return
            tags = (*shape.shared, shape.row(key), shape.absence)
            request = _RowRequest(name, digest, tags, shape.times, shape.mode, shape.relations, False)
            request.operation, request.gateway, request.outputs = read.operation, gateway, shape.outputs
            request.rows, request.name = self, key[0]
            self.wanted[key[0]], self._values[key[0]] = request, value

    async def load(self, keys: Sequence[Any]) -> list[Raw]:
        """
        Read the rows of some of the keys, all at once, and return those of each, in the order of the keys.

        Raises:
            _OtherKey: One of the rows has a key that nobody asked for.
        """
        plan, statement = self._read.shape.plan, self._read.statement
        parameters = list(statement.parameters)
        parameters[plan.list_at] = [self._values[each] for each in keys]
        operation = self._gateway.compile(statement.with_parameters(tuple(parameters)))
        read, _ = await captured(self._gateway.freshest, operation)
        described = plan.relations[0]
        decode = self._gateway.codecs.decoder(described.primary_key[0].type)
        rows: dict[Any, list[tuple[Any, ...]]] = {each: [] for each in keys}
        for row in read:
            value = row[plan.key_output]
            key = canonical_key(described, [value if decode is None else decode(value)])
            if key is None or key[0] not in rows:
                raise _OtherKey
            rows[key[0]].append(row)
        return [(each, ()) for each in rows.values()]


def _missing(shape: Shape) -> CacheMiss:
    return CacheMiss(
        f"some of the rows of {', '.join(shape.relations)} are not kept",
        hint='mode="only" reads nothing: use mode="read" to read what is missing',
    )
