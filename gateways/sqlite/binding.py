"""
How parameters are bound in SQLite where that is not as they are stored: lists, patterns, bounds.

A place of a parameter goes in, the function that makes of its Python value what is bound comes out. The dialect's
templates name these forms.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from gateways.sql import Form
from gateways.sql.forms import FORMS as SHARED
from gateways.sql.forms import encoded_items, known_items
from gateways.sql.pieces import Bind, Sql, sql
from gateways.sqlite.codecs import json_parameter
from gateways.sqlite.columns import json_item, kind_of
from mapper.types import Codecs, Encoder, Misfit, StorageType

__all__ = ["FORMS", "after_prefix", "glob_pattern", "row_list", "value_rows"]

MATCHES_NOTHING: Final = "[^\x01-\U0010ffff]"
"""A GLOB pattern of one character of none."""

LAST: Final = "\U0010ffff"
BEFORE_SURROGATES: Final = "\ud7ff"
AFTER_SURROGATES: Final = "\ue000"


def glob_pattern(pattern: str) -> str:
    """
    Translate a pattern of LIKE, with a backslash before what is ordinary, to one of GLOB, which tells cases apart.

    One that ends in a lone backslash matches nothing.
    """
    parts: list[str] = []
    characters = iter(pattern)
    for each in characters:
        if each in _WILD:
            parts.append(_WILD[each])
            continue
        literal = next(characters, None) if each == "\\" else each
        if literal is None:
            return MATCHES_NOTHING
        parts.append(f"[{literal}]" if literal in "*?[" else literal)
    return "".join(parts)


_WILD: Final = {"%": "*", "_": "?"}


def after_prefix(prefix: str) -> str | bytes:
    """
    Return what comes after every text that begins with `prefix`: the bound of a range that an index can search.

    Where no text does, an empty blob, which SQLite sorts after all texts.
    """
    shortened = prefix.rstrip(LAST)
    if not shortened:
        return b""
    last = shortened[-1]
    following = AFTER_SURROGATES if last == BEFORE_SURROGATES else chr(ord(last) + 1)
    return shortened[:-1] + following


def row_list(binds: Sequence[Bind]) -> Sql:
    """
    Return the rows of parallel lists: one JSON array of arrays, whose items are taken apart.

    Raises:
        ValueError: The lists are not beside each other among the parameters.
    """
    one = binds[0]
    if len(binds) > 1:
        start = one.index
        if not isinstance(start, int) or [each.index for each in binds] != list(range(start, start + len(binds))):
            raise ValueError("the lists of a composite IN are not beside each other")
        one = Bind(slice(start, start + len(binds)), tuple([each.types[0] for each in binds]), "rows", binds[0].beside)
    items = ", ".join([json_item(type_, f"(value ->> {index})") for index, type_ in enumerate(one.types)])
    return sql(f"SELECT {items} FROM json_each(", one, ")")


def value_rows(bind: Bind, names: Sequence[str]) -> Sql:
    """Return a select of the rows of a list of tuples, which is bound as one JSON array of arrays."""
    items = [
        f"{json_item(type_, f'(value ->> {index})')} AS {name}"
        for index, (type_, name) in enumerate(zip(bind.types, names, strict=True))
    ]
    return sql(f"SELECT {', '.join(items)} FROM json_each(", bind, ")")


def _list(codecs: Codecs, bind: Bind) -> Encoder:
    encode, written = codecs.encoder(bind.type), json_parameter(bind.type)
    return lambda values: written(encoded_items(values, encode))


def _known(codecs: Codecs, bind: Bind) -> Encoder:
    """The items of a list that are not None."""
    encode, written = codecs.encoder(bind.type), json_parameter(bind.type)
    return lambda values: written(encoded_items(known_items(values), encode))


def _has_none(codecs: Codecs, bind: Bind) -> Encoder:
    """Whether a list has a None."""
    del codecs, bind
    return lambda values: int(len(known_items(values)) < len(values))


def _like(codecs: Codecs, bind: Bind) -> Encoder:
    encode = codecs.encoder(bind.type)
    return lambda value: glob_pattern(encode(value))


def _after(codecs: Codecs, bind: Bind) -> Encoder:
    encode = codecs.encoder(bind.type)
    return lambda value: after_prefix(encode(value))


def _rows(codecs: Codecs, bind: Bind) -> Encoder:
    """Parallel lists as one."""
    write = _row_writer(codecs, bind.types)
    return lambda lists: write(list(zip(*lists, strict=True)))


def _tuples(codecs: Codecs, bind: Bind) -> Encoder:
    write = _row_writer(codecs, bind.types)
    return lambda values: write(encoded_items(values, lambda each: _of_width(each, len(bind.types))))


def _of_width(value: Any, width: int) -> tuple[Any, ...]:
    if isinstance(value, tuple) and len(value) == width:
        return value
    raise Misfit(value, f"a tuple of {width} values")


def _row_writer(codecs: Codecs, types: Sequence[StorageType[Any]]) -> Callable[[Sequence[tuple[Any, ...]]], str]:
    encoders = [_in_json(codecs.encoder(each), each) for each in types]

    def write(rows: Sequence[tuple[Any, ...]]) -> str:
        encoded = [
            encoded_items(column, encode) for column, encode in zip(zip(*rows, strict=True), encoders, strict=False)
        ]
        return msgspec.json.encode(list(zip(*encoded, strict=True))).decode()

    return write


def _in_json(encode: Encoder, type_: StorageType[Any]) -> Encoder:
    """An item as it stands within a JSON array of a parameter: see `json_parameter`."""
    kind = kind_of(type_)
    convert: Callable[[Any], Any] | None = bytes.hex if kind is bytes else repr if kind is float else None
    if convert is None:
        return lambda value: None if value is None else encode(value)
    return lambda value: None if value is None else convert(encode(value))


FORMS: Final[Mapping[str, Form]] = {
    **SHARED,
    "list": _list,
    "known": _known,
    "has_none": _has_none,
    "like": _like,
    "after": _after,
    "rows": _rows,
    "tuples": _tuples,
}
