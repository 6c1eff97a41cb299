"""
How a gateway keeps values of each storage type.

In goes a storage type, out come two functions: one to the store's own value, one back.
"""

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from mapper.types.storage import StorageType

__all__ = ["Codecs", "Decoder", "Encoder"]

Encoder: TypeAlias = Callable[[Any], Any]
"""Validates a value and makes the store's own of it in one call. Raises `Misfit`."""

Decoder: TypeAlias = Callable[[Any], Any]
"""
Makes the Python value of a stored one that is not NULL. Raises `ValueError` for what cannot be one.

It may have an attribute `as_it_is`: source of a condition on `{0}` that holds for values, the commonest ones, which it
returns as they are.
"""


class Codecs(Protocol):
    """
    A gateway's encoders and decoders.

    MUST: the encoder and decoder of equal types are the same objects while they are in use, and may be called by
    several threads. An encoder is not called with None for a column that can be NULL: None is NULL there. Elsewhere
    it is called with None, and refuses it unless None is a value, as JSON's null is. Codecs are hashable: what is made
    for them is kept under them.
    """

    def __hash__(self) -> int: ...

    @property
    def name(self) -> str:
        """Whose they are, for messages."""
        ...

    def encoder(self, type_: StorageType[Any], /) -> Encoder:
        """The function that checks and encodes values of a type."""
        ...

    def decoder(self, type_: StorageType[Any], /) -> Decoder | None:
        """The function that decodes values of a type that are not NULL; None where the driver's value is the user's."""
        ...
