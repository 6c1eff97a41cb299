"""
Operations as a cache hands them on: with what they were compiled from, which says what they depend on or change.

A gateway below never sees them: the cache takes them apart before it runs anything.
"""

from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from mapper.operations import Operation

if TYPE_CHECKING:
    from mapper.cache.shapes import Shape

__all__ = ["CachedRead", "Creation", "TrackedWrite", "UncachedRead", "bare"]


@frozen(slots=True)
class CachedRead:
    """
    A read that may be served from a cache. It shows what it was compiled to: `sql`, `parameters`, `columns`, `reads`.

    Attributes:
        operation: What the gateway compiled.
        shape: What reads of this shape depend on.
        statement: What it was compiled from.
    """

    operation: Operation
    shape: "Shape"
    statement: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.operation, name)

    def __str__(self) -> str:
        return str(self.operation)


@frozen(slots=True)
class UncachedRead:
    """
    A read that is not cached, and why not. It shows what it was compiled to.

    Attributes:
        operation: What the gateway compiled.
        reason: A word for events.
        relations: Names for events.
        reads_alone: Whether it is known to change nothing.
    """

    operation: Operation
    reason: str
    relations: tuple[str, ...] = ()
    reads_alone: bool = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.operation, name)

    def __str__(self) -> str:
        return str(self.operation)


@frozen(slots=True)
class TrackedWrite:
    """
    A write with the statement that it was compiled from. It shows what it was compiled to.

    Attributes:
        operation: What the gateway compiled.
        statement: What it was compiled from.
    """

    operation: Operation
    statement: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.operation, name)

    def __str__(self) -> str:
        return str(self.operation)


@frozen(slots=True)
class Creation:
    """An operation that creates what is missing of a schema, and so changes no rows."""

    operation: Operation

    def __getattr__(self, name: str) -> Any:
        return getattr(self.operation, name)

    def __str__(self) -> str:
        return str(self.operation)


DRESSED: Final = frozenset({CachedRead, UncachedRead, TrackedWrite, Creation})


def bare(operation: Any) -> Operation:
    """Return the operation that the gateway compiled."""
    found: Operation = operation.operation if type(operation) in DRESSED else operation
    return found
