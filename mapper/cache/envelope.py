"""
What is kept under a key: a payload, what it depends on, and when it was made.

An envelope goes in and bytes come out, and the other way round. Whatever is wrong with bytes that were kept is found
here and is no error: they are a miss. The layout is in the order of `HEADER`; behind it come the stamps, the names, the
payload, and a CRC-32 of all that, each number big-endian.
"""

import zlib
from struct import Struct, error
from typing import Final, Literal, TypeAlias

from attrs import frozen

__all__ = ["Damage", "Envelope", "block_of", "opened", "sealed"]

MAGIC: Final = b"MC"
VERSION: Final = 1
HEADER: Final = Struct(">2sBB20sQQQIHHI")
"""
Magic, version, flags; digest of the key; when it was made, for how long it is fresh, and what reading it cost in
milliseconds, milliseconds and microseconds; rows; the lengths of the stamps, the names and the payload.
"""
CHECKSUM: Final = Struct(">I")
SIZE: Final = HEADER.size

COMPRESSED: Final = 1
OF_ABSENCE: Final = 2
RESERVED: Final = 0xFF ^ COMPRESSED ^ OF_ABSENCE

LARGEST: Final = 256 * 1024 * 1024
"""Bytes of a payload at most once it is decompressed: a small one could claim any size."""

Damage: TypeAlias = Literal["corrupt", "version"]
"""Why bytes are no envelope: they are damaged, or of a later version, whose writer will want to read them."""


@frozen
class Envelope:
    """
    A result as it is kept.

    Attributes:
        stamps: What it depends on, as `block_of` makes it.
        made_ms: When it was read, in milliseconds since 1970.
        fresh_ms: For how many of them it is fresh.
        cost_us: How long reading took.
        rows: How many there are.
        names: The names of the columns, where the operation does not declare them; encoded by whoever made it.
        payload: The rows, encoded.
        of_absence: Whether it depends on rows being absent, so that an insert of any row of its relation ends it.
    """

    stamps: bytes
    made_ms: int
    fresh_ms: int
    cost_us: int
    rows: int
    payload: bytes
    names: bytes = b""
    of_absence: bool = False


def block_of(*stamps: bytes) -> bytes:
    """Return stamps as one run of bytes, which differs where any of them does."""
    return b"".join([b"%c%b" % (len(each), each) for each in stamps])


def sealed(envelope: Envelope, key: bytes, *, compress_over: int | None = None) -> bytes:
    """
    Return the bytes of an envelope.

    Args:
        key: The digest of the key that it is kept under, 20 bytes: found under another one, it is a miss.
        compress_over: Compress a payload of more bytes.
    """
    payload, flags = envelope.payload, OF_ABSENCE if envelope.of_absence else 0
    if compress_over is not None and len(payload) > compress_over:
        smaller = zlib.compress(payload, 1)
        if len(smaller) < len(payload):
            payload, flags = smaller, flags | COMPRESSED
    data = b"".join(
        [
            HEADER.pack(
                MAGIC,
                VERSION,
                flags,
                key,
                envelope.made_ms,
                envelope.fresh_ms,
                envelope.cost_us,
                envelope.rows,
                len(envelope.stamps),
                len(envelope.names),
                len(payload),
            ),
            envelope.stamps,
            envelope.names,
            payload,
        ]
    )
    return data + CHECKSUM.pack(zlib.crc32(data))


def opened(data: bytes, key: bytes) -> "Envelope | Damage":
    """Return the envelope that bytes are, or what is wrong with them."""
    try:
        magic, version, flags, digest, made, fresh, cost, rows, stamps, names, size = HEADER.unpack_from(data)
    except error:
        return "corrupt"
    if magic == MAGIC and version > VERSION:
        return "version"
    end = SIZE + stamps + names + size
    if (
        magic != MAGIC
        or version != VERSION
        or flags & RESERVED
        or digest != key
        or len(data) != end + 4
        or zlib.crc32(memoryview(data)[:end]) != int.from_bytes(data[end:], "big")
    ):
        return "corrupt"
    named = SIZE + stamps
    payload: bytes | None = data[named + names : end]
    if flags & COMPRESSED:
        payload = _inflated(data[named + names : end])
        if payload is None:
            return "corrupt"
    assert payload is not None
    return Envelope(
        data[SIZE:named], made, fresh, cost, rows, payload, data[named : named + names], bool(flags & OF_ABSENCE)
    )


def _inflated(data: bytes) -> bytes | None:
    """Return decompressed bytes; None where they are damaged or too many."""
    inflating = zlib.decompressobj()
    try:
        payload = inflating.decompress(data, LARGEST)
    except zlib.error:
        return None
    return payload if inflating.eof and not inflating.unused_data else None
