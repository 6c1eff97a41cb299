"""
Read-only views: a repository that is read through its cache, and through which nothing is written.
"""

from typing import Any

from typing_extensions import TypeVar

from mapper.gateway import Gateway
from mapper.stores import Stores

__all__ = ["CachedView"]

R_contra = TypeVar("R_contra", contravariant=True)


class CachedView(Stores[R_contra]):
    """
    What `Repository.cached` gives: queries take it as they take the repository. It has no methods that write, and a
    changeset that is committed to it raises `CacheReadOnly`.
    """

    __slots__ = ("_name",)

    def __init__(self, name: str, gateway: Gateway) -> None:
        self._executor = gateway
        self._name = name

    def __repr__(self) -> str:
        return f"<{self._name} on {self._executor.gateway.name}, cached and read alone>"


def view_of(name: str, relations: frozenset[Any], gateway: Gateway) -> CachedView[Any]:
    """Return a view of the repository that stores these relations."""
    kind = type(name, (CachedView,), {"__slots__": (), "_relations": relations})
    view: CachedView[Any] = kind(name, gateway)
    return view
