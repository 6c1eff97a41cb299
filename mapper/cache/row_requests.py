"""
Reads of a gateway as requests to the reader.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import chain
from typing import Any, Final, TypeAlias
from uuid import UUID

import msgspec

from mapper.cache.envelope import Envelope
from mapper.cache.operations import CachedRead
from mapper.cache.requests import Request
from mapper.cache.rows import Unkept, packed, unpacked
from mapper.encoding import Unencodable
from mapper.gateway import Gateway
from mapper.operations import Operation, OutputColumn, QuerySql

__all__ = ["UNCHANGEABLE", "Raw", "Requests", "RowsRequest", "captured", "request_of"]

UNCHANGEABLE: Final = frozenset(
    {
        *(type(None), bool, int, float, str, bytes, Decimal, UUID),
        *(dt.date, dt.datetime, dt.time, dt.timedelta),
    }
)
"""Types of values that several readers may have in common, since none can change them."""

SIMPLE: Final = frozenset({int, str})
MOST_KNOWN: Final = 2000

Raw: TypeAlias = tuple[list[tuple[Any, ...]], Sequence[str]]
"""Raw rows, and the names of their columns where the operation does not declare them."""


class RowsRequest(Request[Raw]):
    """The rows of one operation."""

    __slots__ = ("gateway", "operation", "outputs")

    operation: Operation
    gateway: Gateway
    outputs: Sequence[OutputColumn]

    async def load(self) -> Raw:
        return await captured(self.gateway, self.operation)

    def pack(self, value: Raw) -> tuple[bytes, bytes, int]:
        rows, names = value
        if len(rows) > self.times.policy.max_rows:
            raise Unkept("too large")
        return packed(rows, self.outputs), _names(names), len(rows)

    def unpack(self, envelope: Envelope) -> Raw:
        names = envelope.names
        return unpacked(envelope.payload, self.outputs), tuple(_decoded(names)) if names else ()

    def copies(self, value: Raw) -> Callable[[], Raw] | None:
        rows, names = value
        if not UNCHANGEABLE.issuperset(map(type, chain.from_iterable(rows))):
            return None
        shared = tuple(rows)
        return lambda: (list(shared), names)

    def alike(self, kept: Raw, value: Raw) -> bool:
        """Whether two results have the same rows, in another order maybe: a store gives any where none is asked for."""
        return sorted(map(repr, kept[0])) == sorted(map(repr, value[0]))


def request_of(read: CachedRead, gateway: Gateway) -> RowsRequest | None:
    """
    Return the request that a read is; None where one of its values cannot be told from others, so that it has no key.

    Args:
        gateway: Where rows are read that are not kept. It must show every commit that has been told of.
    """
    shape, operation = read.shape, read.operation
    key = shape.key_of(read.statement)
    text, values = shape.text_of(operation, read.statement)
    try:
        name, digest = shape.prefix("rows" if key is None else "key", text).key(values)
    except Unencodable:
        return None
    if key is None:
        request = RowsRequest(name, digest, shape.whole, shape.times, shape.mode, shape.relations)
    else:
        tags = (*shape.shared, shape.row(key), shape.absence)
        request = RowsRequest(name, digest, tags, shape.times, shape.mode, shape.relations, shape.plan.absence)
    request.operation, request.gateway, request.outputs = operation, gateway, shape.outputs
    return request


class Requests:
    """
    The requests that reads are, those of the same read made once.

    Values that are equal without being the same (`1` and `True`) are told apart, which is why only reads whose values
    are all integers and text are found again.
    """

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[int, Any, Any], tuple[CachedRead, RowsRequest]] = {}

    def of(self, read: CachedRead, gateway: Gateway) -> RowsRequest | None:
        """As `request_of`, from the freshest gateway."""
        shape, operation = read.shape, read.operation
        if type(operation) is QuerySql and shape.named is None:  # the commonest, of which `text_of` says the same
            text, values = operation.sql, operation.parameters
        else:
            text, values = shape.text_of(operation, read.statement)
        if type(values) is not tuple:
            return request_of(read, gateway.freshest)
        for kind in map(type, values):
            if kind not in SIMPLE:
                return request_of(read, gateway.freshest)
        key = (id(shape), text, values)
        known = self._known.get(key)
        if known is not None:
            return known[1]
        request = request_of(read, gateway.freshest)
        if request is not None:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            # The read keeps its shape alive, and with it the number that stands for it.
            self._known[key] = (read, request)
        return request


async def captured(gateway: Gateway, operation: Operation) -> Raw:
    """Read all rows of an operation as they come from the store, and their names where it does not declare them."""
    found: list[Sequence[str]] = []

    def capture(rows: Sequence[Any], names: Sequence[str]) -> list[tuple[Any, ...]]:
        found.append(names)
        return [each if type(each) is tuple else tuple(each) for each in rows]

    rows = await gateway.fetch(operation, capture)
    return rows, tuple(found[0]) if found else ()


def _names(names: Sequence[str]) -> bytes:
    return msgspec.msgpack.encode(list(names)) if names else b""


def _decoded(names: bytes) -> list[str]:
    try:
        return msgspec.msgpack.decode(names, type=list[str])
    except msgspec.MsgspecError as error:
        raise ValueError("damaged names") from error
