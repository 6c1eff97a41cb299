"""
`notify`: a notification that is sent when a changeset is committed.

A channel and a payload go in; a value comes out that a changeset takes behind its rows, or a gateway runs at once.
"""

from typing import Any, Final

from gateways.postgres.notes import checked_channel
from gateways.postgres.session import Session
from mapper.deferred import Ref
from mapper.errors import QueryError, ValueNotStorable
from mapper.operations import Call, Result
from mapper.relation import info

__all__ = ["LONGEST_PAYLOAD", "NOTIFY", "notify", "send"]

NOTIFY: Final = "notify"

LONGEST_PAYLOAD: Final = 7999
"""Bytes of a payload: the server takes less than 8000 (PostgreSQL manual, NOTIFY)."""

_SEND: Final = "SELECT pg_notify(channel, payload) FROM unnest($1::text[], $2::text[]) AS sent (channel, payload)"


def notify(channel: str, payload: str | Ref[Any] = "") -> Call:
    """
    Return a notification for a changeset: `changes.then(notify("jobs", ref))`.

    It is sent with the commit: whoever is told can read what was written, and nobody is told of what was rolled back.
    Listeners get the notifications of one commit in the order given; the server sends equal ones of one commit once.
    Outside of a changeset, `await gateway.execute(notify("jobs"))` sends it at once.

    Args:
        channel: Whom it is for; see `listen`.
        payload: Text, or the key of a row that the changeset inserts, which is sent as text.

    Raises:
        QueryError: The channel's name is empty, or longer than 63 bytes; a ref stands for a key of several columns.
        ValueNotStorable: The payload is longer than 7,999 bytes, or has characters that cannot be sent. A key that is too
            long is refused by the server.
        Unsupported: At commit, by a gateway that is none of PostgreSQL, before anything is sent.
    """
    checked_channel(channel)
    if isinstance(payload, Ref):
        _require_one_column(payload)
    else:
        _require_payload(payload)
    return Call(NOTIFY, ((channel, payload),), joins=True)


def _require_one_column(ref: Ref[Any]) -> None:
    columns = info(ref.relation).primary_key
    if len(columns) != 1:
        raise QueryError(
            f"{ref!r} is a key of {len(columns)} columns, and a payload is one text",
            hint="notify(channel) alone, or put into the payload what the listener needs",
        )


def _require_payload(payload: object) -> None:
    if not isinstance(payload, str):
        raise ValueNotStorable(
            f"the payload is {payload!r}, expected text", value=payload, hint="encode it: json.dumps(…)"
        )
    try:
        size = len(payload.encode())
    except UnicodeEncodeError:
        raise ValueNotStorable(f"the payload {payload!r} cannot be encoded", value=payload) from None
    if "\0" in payload:
        raise ValueNotStorable(f"the payload {payload!r} has a NUL character, which the store has not", value=payload)
    if size > LONGEST_PAYLOAD:
        raise ValueNotStorable(
            f"the payload has {size} bytes, and can have {LONGEST_PAYLOAD} at most",
            value=payload,
            hint="store it, and send its key",
        )


async def send(session: Session, call: Call) -> Result:
    """Send notifications, all in one statement, in the order given."""
    channels = [channel for channel, _ in call.arguments]
    payloads = [str(payload) for _, payload in call.arguments]
    await session.driver.execute(_SEND, channels, payloads)
    return Result(count=len(channels))
