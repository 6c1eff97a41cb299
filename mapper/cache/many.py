"""
Reads of several rows by their keys: each row is kept by itself, and those that are missing are read at once.
"""

from collections.abc import Mapping
from typing import Any

from mapper.cache.events import CacheEvent, Events
from mapper.cache.keeper import Keeper
from mapper.cache.keys import canonical_key
from mapper.cache.operations import CachedRead
from mapper.cache.reading import Reader
from mapper.cache.requests import Raw, RowsRequest, captured
from mapper.cache.shapes import Shape, text_of
from mapper.encoding import Unencodable
from mapper.errors import CacheMiss
from mapper.gateway import Gateway

__all__ = ["ManyReads"]


class ManyReads:
    """Reads lists of keys; see the module."""

    __slots__ = ("_events", "_keeper", "_reader")

    def __init__(self, reader: Reader, keeper: Keeper, events: Events) -> None:
        self._reader = reader
        self._keeper = keeper
        self._events = events

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
        wanted, values = _wanted(read, gateway)
        if not wanted or len(wanted) > shape.times.policy.max_rows:
            return None
        requests = list(wanted.values())
        shared = len(shape.shared)
        tags = (*shape.shared, shape.absence, *[each.tags[shared] for each in requests])
        keys = () if shape.mode == "refresh" else tuple([each.key for each in requests])
        found = await self._keeper.look_up(keys, tags, shape.times.lookup)
        if found is None or found.stamps is None:
            if shape.mode == "only":
                raise _missing(shape)
            return None
        # Behind the driver's identity come the shared stamps, that of absence, and one for each key.
        first, absence, own = found.stamps[: shared + 1], found.stamps[shared + 1], found.stamps[shared + 2 :]
        stamps = [(*first, each, absence) for each in own]
        rows: dict[Any, list[tuple[Any, ...]]] = {}
        for index, (key, request) in enumerate(wanted.items()):
            kept = self._served(request, found.values[index] if keys else None, stamps[index])
            if kept is not None:
                rows[key] = kept
        missing = [key for key in wanted if key not in rows]
        if missing:
            if shape.mode == "only":
                raise _missing(shape)
            vouching = dict(zip(wanted, stamps, strict=True))
            if not await self._read_missing(
                read, gateway, wanted, vouching, {key: values[key] for key in missing}, rows
            ):
                return None
        return [row for key in wanted for row in rows[key]], ()

    def _served(
        self, request: RowsRequest, data: bytes | None, stamps: tuple[bytes, ...]
    ) -> list[tuple[Any, ...]] | None:
        envelope, reason = self._reader.judged(request, data, stamps)
        if envelope is None or reason:
            self._events.tell("miss", reason, relations=request.relations)
            return None
        try:
            rows, _ = request.unpack(envelope)
        except ValueError:
            self._events.tell("miss", "corrupt", relations=request.relations)
            return None
        if self._events.count("hit"):
            age = max(0.0, self._reader.now() - envelope.made_ms / 1000)
            size = len(envelope.payload)
            self._events.call(CacheEvent("hit", request.relations, seconds=age, rows=len(rows), bytes=size))
        return rows

    async def _read_missing(
        self,
        read: CachedRead,
        gateway: Gateway,
        wanted: dict[Any, RowsRequest],
        stamps: dict[Any, tuple[bytes, ...]],
        missing: Mapping[Any, Any],
        rows: dict[Any, list[tuple[Any, ...]]],
    ) -> bool:
        """
        Read the rows that are missing, all at once, and keep each with its own stamps; False, and nothing is kept,
        where one of them has a key that nobody asked for.
        """
        plan, statement = read.shape.plan, read.statement
        parameters = list(statement.parameters)
        parameters[plan.list_at] = list(missing.values())
        operation = gateway.compile(statement.with_parameters(tuple(parameters)))
        made, began = self._reader.now(), self._reader.clock()
        found, _ = await captured(gateway.freshest, operation)
        cost = self._reader.clock() - began
        column = plan.relations[0].primary_key[0]
        decode = gateway.codecs.decoder(column.type)
        rows.update({key: [] for key in missing})
        for row in found:
            value = row[plan.key_output]
            key = canonical_key(plan.relations[0], [value if decode is None else decode(value)])
            if key is None or key[0] not in missing:
                return False
            rows[key[0]].append(row)
        items = []
        for key in missing:
            kept = self._reader.sealed(wanted[key], (rows[key], ()), stamps[key], made=made, cost=cost)
            if kept is not None:
                items.append((wanted[key].key, kept[1], kept[2]))
        if items:
            await self._reader.keep_items(items, read.shape.times.lookup)
        return True


def _wanted(read: CachedRead, gateway: Gateway) -> tuple[dict[Any, RowsRequest], dict[Any, Any]]:
    """Return the request for each key, and the key as it was given, by its canonical form; empty where one has none."""
    shape, operation = read.shape, read.operation
    plan = shape.plan
    parameters = list(read.statement.parameters)
    described, listed = plan.relations[0], parameters[plan.list_at]
    text, _ = text_of(operation, read.statement)
    prefix = shape.prefix("keys", text)
    parameters[plan.list_at] = None
    found: dict[Any, RowsRequest] = {}
    values: dict[Any, Any] = {}
    for value in listed:
        key = canonical_key(described, (value,))
        if key is None:
            return {}, {}
        if key[0] in found:
            continue
        try:
            name, digest = prefix.key((parameters, key))
        except Unencodable:
            return {}, {}
        tags = (*shape.shared, shape.row(key), shape.absence)
        request = RowsRequest(name, digest, tags, shape.times, shape.mode, shape.relations, False)
        request.operation, request.gateway, request.outputs = operation, gateway, shape.outputs
        found[key[0]], values[key[0]] = request, value
    return found, values


def _missing(shape: Shape) -> CacheMiss:
    return CacheMiss(
        f"some of the rows of {', '.join(shape.relations)} are not kept",
        hint='mode="only" reads nothing: use mode="read" to read what is missing',
    )
