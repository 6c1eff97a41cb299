"""
Types of values that come from several places: of the branches of a case, of both sides of a set operation.

Storage types go in; one that keeps the values of all comes out, or None where there is none.
"""

from typing import Any

from mapper.types.storage import StorageType

__all__ = ["wider"]


def wider(left: StorageType[Any], right: StorageType[Any]) -> StorageType[Any] | None:
    """Return the type that keeps the values of both, unchanged; None where they are of different kinds."""
    if left.key == right.key:
        return left
    one, other = left.unlimited, right.unlimited
    return one if one.key == other.key else None
