"""
How parameters are bound in PostgreSQL: their places in the text, and lists.

A place goes in; its text, and the function that makes of its Python value what is bound, come out. Every place is cast,
because the server would otherwise have to guess its type from what is beside it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from attrs import evolve

from gateways.postgres.columns import array_of, parameter_type
from gateways.postgres.literals import array_text
from gateways.sql import Form
from gateways.sql.forms import size
from gateways.sql.pieces import Bind, Sql, joined, sql
from mapper.types import Codecs, Encoder, Misfit, StorageType

__all__ = ["FORMS", "placed", "placeholder", "row_list", "value_rows"]

COLUMNS: Final = 32
"""How many columns a composite IN has at most; an index has no more."""


def placeholder(number: int, bind: Bind) -> str:
    """Return the text of a place: `$1::bigint`, and of a list `$1::bigint[]`, whatever its length."""
    return placed(f"${number}", bind)


def placed(value: str, bind: Bind) -> str:
    """
    Return the text of a place with this value in it, cast to what it is.

    An array of arrays would be one of more dimensions, so a list of arrays travels as their texts.
    """
    if bind.form == "raw":
        return value
    if bind.form == "has_none":
        return f"{value}::boolean"
    type_ = parameter_type(_type(bind))
    if bind.form not in _LISTS and not bind.form.startswith("tuples:"):
        return f"{value}::{type_}"
    if not type_.endswith("[]"):
        return f"{value}::{array_of(type_)}"
    return f"{value}::text[]" if bind.form in _IN_ROWS else _read_from(value, type_)


def _read_from(texts: str, type_: str) -> str:
    return f"SELECT listed.item::{type_} FROM unnest({texts}::text[]) AS listed(item)"


def row_list(binds: Sequence[Bind]) -> Sql:
    """Return the rows of parallel lists, or of one list of tuples, which is bound once for each column."""
    if len(binds) == 1 and binds[0].form == "tuples":
        one = binds[0]
        binds = [Bind(one.index, one.types, f"tuples:{each}", one.beside) for each in range(len(one.types))]
    return _rows([evolve(each, form="column") if each.form == "list" else each for each in binds])


def value_rows(bind: Bind, names: Sequence[str]) -> Sql:
    """Return a select of the rows of a list of tuples, which is bound once for each column."""
    places = [Bind(bind.index, bind.types, f"tuples:{each}", bind.beside) for each in range(len(bind.types))]
    return _rows(places, names)


def _rows(places: Sequence[Bind], names: Sequence[str] | None = None) -> Sql:
    """Return a select of rows from lists, one a column; arrays are read from their texts."""
    types = [parameter_type(_type(each)) for each in places]
    arrays = any([each.endswith("[]") for each in types])
    columns = [f"c{each}" for each in range(len(places))] if names is None and arrays else names
    read = [f"{name}::{type_}" for name, type_ in zip(columns or (), types, strict=bool(columns))] if arrays else ["*"]
    alias = "" if columns is None else f" AS listed({', '.join(columns)})"
    return sql(f"SELECT {', '.join(read)} FROM unnest(", joined([sql(each) for each in places], ", "), f"){alias}")


def _type(bind: Bind) -> StorageType[Any]:
    return bind.types[int(bind.form.partition(":")[2])] if bind.form.startswith("tuples:") else bind.type


def _value(codecs: Codecs, bind: Bind) -> Encoder:
    return codecs.encoder(bind.type)


def _pattern(codecs: Codecs, bind: Bind) -> Encoder:
    """A pattern of LIKE, which must not end in a lone backslash."""
    encode = codecs.encoder(bind.type)

    def checked(value: Any) -> Any:
        encoded = encode(value)
        if (len(encoded) - len(encoded.rstrip("\\"))) % 2:
            raise Misfit(value, "a pattern with something behind its last backslash")
        return encoded

    return checked


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


def _item_encoder(codecs: Codecs, type_: StorageType[Any]) -> Encoder:
    """Return how a value is encoded as one of a list."""
    encode = codecs.encoder(type_)
    return (lambda value: array_text(encode(value))) if parameter_type(type_).endswith("[]") else encode


def _list(codecs: Codecs, bind: Bind) -> Encoder:
    encode = _item_encoder(codecs, bind.type)
    return lambda values: _items(values, encode)


def _known(codecs: Codecs, bind: Bind) -> Encoder:
    """The items of a list that are not None."""
    encode = _item_encoder(codecs, bind.type)
    return lambda values: _items([each for each in values if each is not None], encode)


def _has_none(codecs: Codecs, bind: Bind) -> Encoder:
    """Whether a list has a None."""
    del codecs, bind
    return lambda values: any(each is None for each in values)


def _tuples(position: int) -> Form:
    """One column of a list of tuples."""

    def form(codecs: Codecs, bind: Bind) -> Encoder:
        encode, width = _item_encoder(codecs, bind.types[position]), len(bind.types)
        return lambda values: _items(values, lambda each: _part(each, position, width, encode))

    return form


def _part(value: Any, position: int, width: int, encode: Callable[[Any], Any]) -> Any:
    if not isinstance(value, tuple) or len(value) != width:
        raise Misfit(value, f"a tuple of {width} values")
    return None if value[position] is None else encode(value[position])


_LISTS: Final = frozenset({"column", "known", "list"})
_IN_ROWS: Final = frozenset({"column", *[f"tuples:{each}" for each in range(COLUMNS)]})
"""Lists that are columns of rows."""

FORMS: Final[Mapping[str, Form]] = {
    "value": _value,
    "pattern": _pattern,
    "list": _list,
    "column": _list,
    "known": _known,
    "has_none": _has_none,
    "size": size,
    **{f"tuples:{each}": _tuples(each) for each in range(COLUMNS)},
}
