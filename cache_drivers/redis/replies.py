"""
What replies mean: values, counts, and what servers refuse, as the errors of cache drivers, without passwords, keys and
values.
"""

from collections.abc import Iterable
from typing import Final

from cache_drivers.redis.wire import Refusal, Reply
from mapper.errors import CacheDriverError, CacheProtocolError, CacheUnavailable

__all__ = ["accepted", "count_of", "error_of", "first_refusal", "value_of", "values_of"]

AWAY: Final = frozenset(
    {
        "BUSY",
        "CLUSTERDOWN",
        "LOADING",
        "MASTERDOWN",
        "MISCONF",
        "NOREPLICAS",
        "OOM",
        "READONLY",
        "TRYAGAIN",
        "UNBLOCKED",
    }
)
"""What a server answers that cannot serve for a while."""

FORBIDDEN: Final = frozenset({"NOAUTH", "NOPERM", "WRONGPASS"})


def first_refusal(replies: Iterable[Reply]) -> Refusal | None:
    """Return the first error among replies."""
    return next((reply for reply in replies if type(reply) is Refusal), None)


def error_of(refusal: Refusal, command: str) -> CacheDriverError:
    """Return the error for what a server answered to a command."""
    code = refusal.code or "an error"
    if code in FORBIDDEN:
        return CacheUnavailable(
            f"the redis server refused {command} with {code}", hint="let the user of the URL run it on the cache's keys"
        )
    if code in AWAY:
        return CacheUnavailable(f"the redis server refused {command} with {code}")
    return CacheProtocolError(f"the redis server answered {command} with {code}")


def accepted(reply: Reply, command: str) -> Reply:
    """Return a reply, or raise what the server refused with."""
    if type(reply) is Refusal:
        raise error_of(reply, command)
    return reply


def value_of(reply: Reply) -> bytes | None:
    """Return a reply that is what is kept under a key."""
    if reply is None or isinstance(reply, bytes):
        return reply
    raise CacheProtocolError(f"the redis server answered with {type(reply).__name__}, expected a value")


def values_of(reply: Reply, count: int) -> list[bytes | None]:
    """Return a reply that is what is kept under so many keys."""
    found: list[bytes | None] = accepted(reply, "MGET")
    if found.__class__ is not list or len(found) != count:
        raise CacheProtocolError(f"the redis server did not answer MGET with {count} values")
    for each in found:
        if each is not None and type(each) is not bytes:
            value_of(each)
    return found


def count_of(reply: Reply, command: str) -> int:
    """Return a reply that is a number."""
    if not isinstance(accepted(reply, command), int):
        raise CacheProtocolError(f"the redis server did not answer {command} with a number")
    return int(reply)
