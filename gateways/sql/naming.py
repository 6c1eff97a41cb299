"""
Names of constraints and indexes, the same from run to run.

What a constraint is over goes in; a name of at most 63 bytes comes out. A longer one is cut and gets a hash of the
whole, so that two that begin alike stay two.
"""

import hashlib
from collections.abc import Iterable
from typing import Final

__all__ = ["LONGEST", "fingerprint", "named"]

LONGEST: Final = 63
"""
Bytes of a name: the limit of PostgreSQL, which cuts what is longer without a word; kept everywhere, so that names are
the same everywhere.
"""

HASHED: Final = 8


def named(kind: str, table: str, parts: Iterable[str]) -> str:
    """Return the name of a constraint or an index: `named("ix", "posts", ["title"])` is `ix_posts_title`."""
    whole = "_".join([kind, table, *parts])
    encoded = whole.encode()
    if len(encoded) <= LONGEST:
        return whole
    kept = encoded[: LONGEST - HASHED - 1].decode(errors="ignore")
    return f"{kept}_{fingerprint(whole)}"


def fingerprint(text: str) -> str:
    """Return a short hash of a text, the same in every process."""
    return hashlib.blake2b(text.encode(), digest_size=HASHED // 2).hexdigest()
