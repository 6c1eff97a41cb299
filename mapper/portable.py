"""
Values on their way through text or bytes and back: in the cursors of pages, and in what a commit leaves behind.

A value and the storage type of its column go in; what MessagePack can hold comes out, and the other way round.
"""

from typing import Any

from mapper import types

__all__ = ["portable", "restored"]


def portable(storage: types.StorageType[Any], value: Any) -> Any:
    """Return a value in a form that MessagePack holds; None as it is."""
    return None if value is None else storage.portable(value)


def restored(storage: types.StorageType[Any], value: Any) -> Any:
    """
    Return the value that such a form stands for; None as it is.

    Raises:
        ValueError, TypeError: It stands for none of this type.
    """
    return None if value is None else storage.restored(value)
