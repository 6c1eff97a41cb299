"""
How long results are kept, and what is done around the end of that time.

Durations are seconds, as numbers or `timedelta`, in what users write; milliseconds in what drivers are given.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final, Literal, TypeAlias, get_args

from attrs import Attribute, evolve, field, fields, frozen

from mapper.errors import CacheConfigError

__all__ = [
    "CacheHints",
    "CacheMode",
    "CachePolicy",
    "Duration",
    "FailureMode",
    "InvalidationMode",
    "checked_choice",
    "hints_of",
    "milliseconds",
    "overridden",
    "seconds",
]

Duration: TypeAlias = float | int | timedelta
"""Seconds, or a `timedelta`."""

CacheMode: TypeAlias = Literal["read", "only", "refresh", "off"]
"""
`read` serves what is kept and keeps what is read; `only` serves what is kept and nothing else; `refresh` reads anew and
keeps it; `off` does neither.
"""

InvalidationMode: TypeAlias = Literal["two_phase", "after_commit", "outbox"]
FailureMode: TypeAlias = Literal["pending", "raise", "refuse"]

MEBIBYTE: Final = 1024 * 1024

WISHES: Final = "\0cached\0"
"""What a query's key has around its wishes, which are no part of what is read."""


def seconds(given: Duration, name: str = "duration") -> float:
    """
    Return a duration in seconds.

    Raises:
        CacheConfigError: It is no duration, not finite, or negative.
    """
    if isinstance(given, timedelta):
        given = given.total_seconds()
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given < float("inf"):
        raise CacheConfigError(f"{name} is {given!r}, expected seconds or a timedelta that is not negative")
    return float(given)


def milliseconds(given: Duration) -> int:
    """Return a duration in whole milliseconds, rounded up; at least 1."""
    return max(1, -int(-seconds(given) * 1000 // 1))


def _duration(instance: object, attribute: "Attribute[Any]", value: object) -> None:
    del instance
    seconds(value, attribute.name)  # type: ignore[arg-type]  # refuses what is none


def _optional_duration(instance: object, attribute: "Attribute[Any]", value: object) -> None:
    if value is not None:
        _duration(instance, attribute, value)


def _positive(instance: object, attribute: "Attribute[Any]", value: Any) -> None:
    del instance
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise CacheConfigError(f"{attribute.name} is {value!r}, expected an integer of at least 1")


def _fraction(instance: object, attribute: "Attribute[Any]", value: Any) -> None:
    del instance
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise CacheConfigError(f"{attribute.name} is {value!r}, expected a fraction of at least 0 and less than 1")


@frozen
class CachePolicy:
    """
    How results are kept.

    Attributes:
        ttl: How long a result is fresh.
        swr: How long beyond that it is still served while one reader reads it anew (stale-while-revalidate); it is
            never served once what it was read from has changed.
        stale_if_error: How long beyond `ttl` it is served where the store fails; as above.
        negative_ttl: How long an absent row is kept as absent; `ttl` where it is None, and 0 keeps none.
        jitter: By what fraction of it a time to live is shortened at random, so that entries do not end together.
        early: Reads anew before the end, the likelier the nearer it is and the longer reading took (XFetch); the factor
            beta of Vattani, Chierichetti and Lowenstein, "Optimal probabilistic cache stampede prevention". None does
            not.
        max_rows, max_bytes: Larger results are handed on and not kept.
        compress_over: Payloads of more bytes are compressed; None compresses none.
        lookup_timeout: How long a read waits for the cache at the most.
        store_timeout: How long keeping a result, or an invalidation, may take.
        lease: How long other processes wait for the one that reads a missing entry, instead of reading it too; never
            longer than what is left of `lookup_timeout`. 0 waits for nobody.
    """

    ttl: Duration = field(default=60.0, validator=_duration)
    swr: Duration = field(kw_only=True, default=0.0, validator=_duration)
    stale_if_error: Duration = field(kw_only=True, default=0.0, validator=_duration)
    negative_ttl: Duration | None = field(kw_only=True, default=None, validator=_optional_duration)
    jitter: float = field(kw_only=True, default=0.1, validator=_fraction)
    early: float | None = field(kw_only=True, default=None)
    max_rows: int = field(kw_only=True, default=1000, validator=_positive)
    max_bytes: int = field(kw_only=True, default=MEBIBYTE, validator=_positive)
    compress_over: int | None = field(kw_only=True, default=16 * 1024)
    lookup_timeout: Duration = field(kw_only=True, default=0.05, validator=_duration)
    store_timeout: Duration = field(kw_only=True, default=0.25, validator=_duration)
    lease: Duration = field(kw_only=True, default=0.0, validator=_duration)

    def __attrs_post_init__(self) -> None:
        if seconds(self.ttl) == 0:
            raise CacheConfigError("ttl is 0, which keeps nothing", hint="give None as the policy to cache nothing")
        if self.early is not None and not self.early > 0:
            raise CacheConfigError(f"early is {self.early!r}, expected a factor greater than 0, such as 1.0")
        if self.compress_over is not None and self.compress_over < 0:
            raise CacheConfigError(f"compress_over is {self.compress_over!r}, expected a number of bytes or None")


def checked_choice(name: str, value: object, choices: Any) -> None:
    """
    Require that a setting is one of its choices.

    Raises:
        CacheConfigError: It is none of them.
    """
    known = get_args(choices)
    if value not in known:
        raise CacheConfigError(f"{name} is {value!r}, expected one of: {', '.join(map(repr, known))}")


def overridden(policy: CachePolicy, changes: Mapping[str, Any]) -> CachePolicy:
    """
    Return a policy with some settings changed.

    Raises:
        CacheConfigError: A setting is unknown or wrong.
    """
    require_settings(changes)
    return evolve(policy, **changes) if changes else policy


def require_settings(changes: Mapping[str, Any]) -> None:
    """
    Require that every name is one of a policy's settings.

    Raises:
        CacheConfigError: One is not.
    """
    known = [each.name for each in fields(CachePolicy)]
    for each in changes:
        if each not in known:
            raise CacheConfigError(f"{each!r} is no setting of a policy; settings are: {', '.join(known)}")


@frozen
class CacheHints:
    """
    What a query, or a view of a repository, asks of the cache.

    Attributes:
        mode: What is served and kept.
        settings: Pairs of a policy's setting and its value, in the order of their names.
        tags: Tags of the user's own that the result depends on too.
        reads: Relations that a raw query reads, which nobody else can know.
        key: A name for the result, in the place of the query's text and values.
    """

    mode: CacheMode = "read"
    settings: tuple[tuple[str, Any], ...] = ()
    tags: tuple[str, ...] = ()
    reads: tuple[Any, ...] = ()
    key: str | None = None

    def over(self, other: "CacheHints | None") -> "CacheHints":
        """Return these hints where another's are given too: these are nearer to the query, and win."""
        if other is None:
            return self
        return CacheHints(
            other.mode if self.mode == "read" else self.mode,
            tuple(sorted({**dict(other.settings), **dict(self.settings)}.items())),
            (*other.tags, *[each for each in self.tags if each not in other.tags]),
            (*other.reads, *[each for each in self.reads if each not in other.reads]),
            other.key if self.key is None else self.key,
        )


LONGEST_TAG: Final = 100


def hints_of(
    mode: object,
    tags: Iterable[str],
    reads: Iterable[Any],
    settings: Mapping[str, Any],
    base: CachePolicy,
    key: str | None = None,
) -> CacheHints:
    """
    Return hints, checked.

    Raises:
        CacheConfigError: The mode, a tag or a setting is wrong.
    """
    checked_choice("mode", mode, CacheMode)
    if isinstance(tags, str):
        raise CacheConfigError(f"tags is {tags!r}, expected a sequence of names", hint=f"tags=({tags!r},)")
    names = tuple(tags)
    for each in names:
        require_tag(each)
    if key is not None:
        require_tag(key)
    overridden(base, settings)
    return CacheHints(mode, tuple(sorted(settings.items())), names, tuple(reads), key)  # type: ignore[arg-type]  # is checked


def require_tag(name: object) -> None:
    """
    Require a name for a tag, or for a result.

    Raises:
        CacheConfigError: It is none.
    """
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_TAG:
        raise CacheConfigError(f"{name!r} is no name of 1 to {LONGEST_TAG} characters")
