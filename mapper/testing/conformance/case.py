"""
One named behaviour that something conforms to or not.
"""

from collections.abc import Awaitable, Callable

from attrs import frozen

__all__ = ["Case"]


@frozen
class Case:
    """
    One named behaviour.

    Attributes:
        name: The area and the behaviour: `writing: an insert gives its key back`.
        features: Rows of the feature table that it shows.
        run: Runs it; raises `AssertionError`, or whatever was raised, where there is no conformance.
    """

    name: str
    features: tuple[str, ...]
    run: Callable[[], Awaitable[None]]

    def __str__(self) -> str:
        return self.name
