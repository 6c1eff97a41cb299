"""
Messages: rows as the JSON objects that are the payloads of notifications.

Columns and their values go in, text comes out; the text of a notification goes in, a row comes out.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final

import attrs
import msgspec

from gateways.postgres.notes import Note
from mapper.columns import ColumnInfo
from mapper.errors import StatementError, ValueNotStorable
from mapper.types import (
    Codec,
    Decoder,
    Encoder,
    Json,
    List,
    Misfit,
    StorageType,
    document_decoder,
    document_encoder,
)

__all__ = ["MESSAGE_CODECS", "MessageCodecs", "distinguished", "read_message", "written_message"]

_PARTS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


@attrs.frozen
class MessageCodecs:
    """How values travel in messages: as JSON text. Satisfies `mapper.types.Codecs`."""

    @property
    def name(self) -> str:
        """Whose they are."""
        return "postgres channels"

    def encoder(self, type_: StorageType[Any], /) -> Encoder:
        """The function that checks a value and makes JSON text of it."""
        return _encoder(type_)

    def decoder(self, type_: StorageType[Any], /) -> Decoder | None:
        """The function that makes a value of JSON text."""
        return _decoder(type_)


MESSAGE_CODECS: Final = MessageCodecs()


@lru_cache(1024)
def _encoder(type_: StorageType[Any]) -> Encoder:
    match type_:
        case Json():
            return document_encoder(type_.annotation)
        case Codec():
            inner = _encoder(type_.storage)
            return lambda value: type_.converted(value, inner)
        case _:
            encode, check = document_encoder(_annotation(type_)), type_.check
            return lambda value: encode(check(value))


@lru_cache(1024)
def _decoder(type_: StorageType[Any]) -> Decoder:
    match type_:
        case Json():
            return document_decoder(type_.annotation)
        case Codec():
            inner, decode = _decoder(type_.storage), type_.decode
            return lambda text: decode(inner(text))
        case _:
            return document_decoder(_annotation(type_))


def _annotation(type_: StorageType[Any]) -> Any:
    return list[_annotation(type_.item) | None] if isinstance(type_, List) else type_.python  # type: ignore[misc]  # made at run time


def written_message(columns: Sequence[ColumnInfo], row: Sequence[Any]) -> str:
    """
    Return the message of a row.

    Raises:
        ValueNotStorable: A value cannot be sent.
    """
    parts = [f"{_name(column)}:{_text(column, value)}" for column, value in zip(columns, row, strict=True)]
    return "{" + ",".join(parts) + "}"


def distinguished(messages: Sequence[str]) -> list[str]:
    """
    Return messages of which no two are equal: the server would send these once. One that comes again ends in blanks,
    which mean nothing in JSON.
    """
    counts: dict[str, int] = {}
    found: list[str] = []
    for each in messages:
        again = counts[each] = counts.get(each, -1) + 1
        found.append(each + " " * again)
    return found


def _name(column: ColumnInfo) -> str:
    return msgspec.json.encode(column.name).decode()


def _text(column: ColumnInfo, value: Any) -> str:
    if value is None and column.nullable:
        return "null"
    encode: Callable[[Any], str] = _encoder(column.type)
    try:
        return encode(value)
    except Misfit as misfit:
        secret = column.options.sensitive
        raise ValueNotStorable(
            f"{column.attribute} cannot be sent: {f'expected {misfit.expected}' if secret else misfit.message}",
            column=column.attribute,
            value=None if secret else value,
            hint=misfit.hint,
        ) from None


def read_message(note: Note, columns: Sequence[ColumnInfo]) -> tuple[Any, ...]:
    """
    Return the values of columns, as JSON text, or None where the message has null or nothing.

    Raises:
        StatementError: The message is no JSON object.
    """
    try:
        parts = _PARTS.decode(note.payload)
    except msgspec.MsgspecError as error:
        raise StatementError(
            f"a message of {note.channel!r} is no JSON object: {error}",
            hint="send objects with the columns of the relation, or use listen(), which takes any payload",
        ) from error
    return tuple([_raw(parts.get(each.name), each) for each in columns])


def _raw(part: msgspec.Raw | None, column: ColumnInfo) -> str | None:
    if part is None:
        return None
    text = bytes(part).decode()
    return None if text == "null" and column.nullable else text
