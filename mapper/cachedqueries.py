"""
What a query asks of a cache: `query.cached(ttl=5)`.

Wishes go in; the same query comes out, which carries them to whatever gateway it runs on. One without a cache leaves
them aside.
"""

from collections.abc import Sequence
from typing import Any, Final, Generic, Self, TypedDict

from typing_extensions import TypeVar, Unpack

from mapper.assembly import Clause
from mapper.caching import WISHES, CacheHints, CacheMode, CachePolicy, Duration, hints_of
from mapper.relation import info

__all__ = ["CacheSettings", "CachedQueries", "wished"]

R = TypeVar("R", default=Any)

BASE: Final = CachePolicy()


class CacheSettings(TypedDict, total=False):
    """The settings of a `CachePolicy`, for one query or one view."""

    ttl: Duration
    swr: Duration
    stale_if_error: Duration
    negative_ttl: Duration | None
    jitter: float
    early: float | None
    max_rows: int
    max_bytes: int
    compress_over: int | None
    lookup_timeout: Duration
    store_timeout: Duration
    lease: Duration


def wished(
    mode: CacheMode, tags: Sequence[str], reads: Any, settings: CacheSettings, key: str | None = None
) -> CacheHints:
    """
    Return wishes, checked.

    Raises:
        CacheConfigError: One of them is wrong.
        DeclarationError: `reads` names what is no relation.
    """
    relations = reads if isinstance(reads, Sequence) else (reads,)
    return hints_of(mode, tags, [info(each).original for each in relations], settings, BASE, key)


class CachedQueries(Generic[R]):
    """The wishes of a query."""

    __slots__ = ()

    def cached(
        self,
        *,
        mode: CacheMode = "read",
        tags: Sequence[str] = (),
        reads: Any = (),
        key: str | None = None,
        **settings: Unpack[CacheSettings],
    ) -> Self:
        """
        Say how the query is cached, where its gateway has a cache; elsewhere, and within a transaction, it changes
        nothing.

        Args:
            mode: `read` serves what is kept and keeps what is read; `only` serves what is kept and nothing else, and
                raises `CacheMiss`; `refresh` reads anew and keeps it; `off` does neither.
            tags: Names that the result depends on too: `cache.invalidate(tag=…)` ends it.
            reads: The relations that a raw query or a fragment reads, without which it is not cached.
            key: A name for the result, in the place of the query's text and values: two queries with one name, over the
                same relations and with the same columns, are taken for the same.
            settings: Of a `CachePolicy`, in the place of those of the cache: `ttl`, `swr`, `max_rows` …

        Raises:
            CacheConfigError: A mode, tag or setting is wrong.
        """
        hints = wished(mode, tags, reads, settings, key)
        named = [info(each).token for each in hints.reads]
        shape = f"{WISHES}{hints.mode} {hints.settings!r} {hints.tags!r} {named} {hints.key!r}{WISHES}"
        extended: Self = self._extended(Clause("cached", payload=hints), shape, ())  # type: ignore[attr-defined]  # a query's own
        return extended
