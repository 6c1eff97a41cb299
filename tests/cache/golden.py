"""Keys, tags and envelopes of fixed reads, as they must be in every process."""

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

from mapper.cache.envelope import Envelope, block_of, sealed
from mapper.cache.keys import Names, canonical_key, fingerprint
from mapper.cache.rows import packed
from mapper.relation import info
from tests.cache.relations import Places, Users

ROWS: list[tuple[Any, ...]] = [
    (1, "é", None, True, 1.5, b"\x00", 2**70, Decimal("1.10"), UUID(int=1), dt.date(2024, 1, 2)),
    (2, "", [1, {"a": [None]}], False, -0.0, b"", -1, Decimal("NaN"), UUID(int=2), dt.date.max),
]


class Codecs:
    """Stands for a gateway's codecs, whose name counts."""


def formats() -> dict[str, str]:
    """Return texts by name."""
    names = Names("shop")
    users, places = info(Users), info(Places)
    prefix = names.entry("users", "rows", fingerprint([users, places], (), Codecs), ("", "sqlite", "/a.db"), "SELECT 1")
    key, digest = prefix.key((1, "a", None, Decimal("1.0"), dt.datetime(2024, 1, 2, tzinfo=dt.UTC), [1, "x"]))
    envelope = Envelope(block_of(b"id", b"s" + b"\x01" * 12), 1_700_000_000_000, 60_000, 1500, 2, packed(ROWS))
    return {
        "entry": key,
        "row": names.row("users", canonical_key(users, (7,)) or ()),
        "pair": names.row("places", canonical_key(places, (1, "a:b")) or ()),
        "relation": names.relation("public.users"),
        "strange relation": names.relation("a b:c*"),
        "user": names.user("front"),
        "rows": packed(ROWS).hex(),
        "envelope": sealed(envelope, digest).hex(),
    }
