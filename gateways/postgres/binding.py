"""
How parameters are bound in PostgreSQL: their places in the text, and lists.

A place goes in; its text, and the function that makes of its Python value what is bound, come out. Every place is cast,
because the server would otherwise have to guess its type from what is beside it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from gateways.postgres.columns import parameter_type
from gateways.sql import Form
from gateways.sql.pieces import Bind, Sql, joined, sql
from mapper.types import Codecs, Encoder, Misfit

__all__ = ["FORMS", "placeholder", "row_list"]

COLUMNS: Final = 32
"""How many columns a composite IN has at most; an index has no more."""


def placeholder(number: int, bind: Bind) -> str:
    """Return the text of a place: `$1::bigint`, and of a list `$1::bigint[]`, whatever its length."""
    if bind.form == "raw":
        return f"${number}"
    if bind.form == "has_none":
        return f"${number}::boolean"
    if bind.form.startswith("tuples:"):
        return f"${number}::{parameter_type(bind.types[_position(bind)])}[]"
    return f"${number}::{parameter_type(bind.type)}{'[]' if bind.form in _LISTS else ''}"


def row_list(binds: Sequence[Bind]) -> Sql:
    """Return the rows of parallel lists, or of one list of tuples, which is bound once for each column."""
    places = binds
    if len(binds) == 1 and binds[0].form == "tuples":
        one = binds[0]
        places = [Bind(one.index, one.types, f"tuples:{each}", one.beside) for each in range(len(one.types))]
    return sql("SELECT * FROM unnest(", joined([sql(each) for each in places], ", "), ")")


def _position(bind: Bind) -> int:
    return int(bind.form.partition(":")[2])


def _value(codecs: Codecs, bind: Bind) -> Encoder:
    return codecs.encoder(bind.type)


def _items(values: Any, encode: Encoder) -> list[Any]:
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise Misfit(values, "values in a list")
    encoded: list[Any] = []
    try:
        for each in values:
            encoded.append(encode(each))
    except Misfit as misfit:
        raise misfit.within(f"item {len(encoded)}") from None
    return encoded


def _list(codecs: Codecs, bind: Bind) -> Encoder:
    encode = codecs.encoder(bind.type)
    return lambda values: _items(values, encode)


def _known(codecs: Codecs, bind: Bind) -> Encoder:
    """The items of a list that are not None."""
    encode = codecs.encoder(bind.type)
    return lambda values: _items([each for each in values if each is not None], encode)


def _has_none(codecs: Codecs, bind: Bind) -> Encoder:
    """Whether a list has a None."""
    del codecs, bind
    return lambda values: any(each is None for each in values)


def _size(codecs: Codecs, bind: Bind) -> Encoder:
    encode = codecs.encoder(bind.type)

    def checked(value: Any) -> Any:
        encoded = encode(value)
        if encoded < 0:
            raise Misfit(value, "a number of rows that is not negative")
        return encoded

    return checked


def _tuples(position: int) -> Form:
    """One column of a list of tuples."""

    def form(codecs: Codecs, bind: Bind) -> Encoder:
        encode, width = codecs.encoder(bind.types[position]), len(bind.types)
        return lambda values: _items(values, lambda each: _part(each, position, width, encode))

    return form


def _part(value: Any, position: int, width: int, encode: Callable[[Any], Any]) -> Any:
    if not isinstance(value, tuple) or len(value) != width:
        raise Misfit(value, f"a tuple of {width} values")
    return None if value[position] is None else encode(value[position])


_LISTS: Final = frozenset({"list", "known"})

FORMS: Final[Mapping[str, Form]] = {
    "value": _value,
    "list": _list,
    "known": _known,
    "has_none": _has_none,
    "size": _size,
    **{f"tuples:{each}": _tuples(each) for each in range(COLUMNS)},
}
