"""
Forms in which parameters are bound that dialects have in common.

A place of a parameter goes in, the function that makes of its Python value what is bound comes out. A dialect adds to
`FORMS` those of its lists, and of the patterns that its templates name.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from gateways.sql.dialect import Form
from gateways.sql.pieces import Bind
from mapper.types import Codecs, Encoder, Misfit, StorageType

__all__ = ["FORMS", "as_it_is", "encoded_items", "known_items", "size"]


def as_it_is(encode: Encoder) -> str | None:
    """
    Return the condition on `{0}` on which an encoder returns what it is given; None where there is none.

    An encoder that is no storage type's own `check` may have one as an attribute; see `StorageType.as_it_is`.
    """
    type_ = getattr(encode, "__self__", None)
    if isinstance(type_, StorageType):
        return type_.as_it_is if encode == type_.check else None
    condition: str | None = getattr(encode, "as_it_is", None)
    return condition


def encoded_items(values: Any, encode: Encoder) -> list[Any]:
    """
    Encode the items of a list, a set, a range …; not of an iterator, which would be used up when the values are bound
    again.

    Raises:
        Misfit: It is none of these, or an item is refused; the message says which, from 0.
    """
    _require_items(values)
    try:
        return [encode(each) for each in values]
    except Misfit as misfit:
        raise _located(values, encode, misfit) from None


def known_items(values: Any) -> list[Any]:
    """
    Return the items that are not None.

    Raises:
        Misfit: As of `encoded_items`.
    """
    _require_items(values)
    return [each for each in values if each is not None]


def _require_items(values: Any) -> None:
    if isinstance(values, str | bytes) or not isinstance(values, list | tuple | Collection):
        raise Misfit(values, "values in a list")


def _located(values: Iterable[Any], encode: Encoder, misfit: Misfit) -> Misfit:
    for number, each in enumerate(values):
        try:
            encode(each)
        except Misfit as found:
            return found.within(f"item {number}")
    return misfit


def _value(codecs: Codecs, bind: Bind) -> Encoder:
    return codecs.encoder(bind.type)


def size(codecs: Codecs, bind: Bind) -> Encoder:
    """Return what binds a number of rows, which is not negative."""
    encode = codecs.encoder(bind.type)

    def checked(value: Any) -> Any:
        encoded = encode(value)
        if encoded < 0:
            raise Misfit(value, "a number of rows that is not negative")
        return encoded

    condition = as_it_is(encode)
    checked.as_it_is = condition and f"{condition} and {{0}} >= 0"  # type: ignore[attr-defined]  # see `as_it_is`
    return checked


FORMS: Final[Mapping[str, Form]] = {"value": _value, "size": size}
"""A value as it is encoded, and a number of rows."""
