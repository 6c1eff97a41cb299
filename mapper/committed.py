"""
What a commit did: keys and numbers of rows, collected while it runs, and handed out behind it.
"""

from typing import Any, Final

from typing_extensions import TypeVar

from mapper.deferred import KeyPart, Ref
from mapper.errors import MissingRow, QueryError

__all__ = ["IGNORED", "UNKNOWN", "Committed"]

T = TypeVar("T")

UNKNOWN: Final[Any] = object()
"""The key of a row that is not inserted yet, or whose relation has none."""

IGNORED: Final[Any] = object()
"""In the place of the key of a row that was ignored because of a conflict."""


class Committed:
    """
    What a commit did: `result[ref]` is the key of a pushed row.

    Attributes:
        inserted, updated, deleted: Numbers of rows; rows of an `on_conflict` that updated count as updated.
        ignored: Rows that were pushed and, because of a conflict, changed nothing.
    """

    __slots__ = ("_keys", "_owner", "_suspects", "deleted", "ignored", "inserted", "updated")

    def __init__(self, rows: int, owner: object) -> None:
        # By the position of the row in the changeset.
        self._keys: list[Any] = [UNKNOWN] * rows
        self._owner = owner
        self.inserted = self.updated = self.deleted = self.ignored = 0
        # What is asked of the store where it is not known which row a constraint refused.
        self._suspects: Any = None

    def __getitem__(self, ref: Ref[T]) -> T:
        """
        Return the key of a row; a tuple where it has several columns.

        Raises:
            KeyError: The row was ignored because of a conflict, or its relation has no key.
            QueryError: The ref is of another changeset.
        """
        if not isinstance(ref, Ref) or ref.owner is not self._owner or ref.position >= len(self._keys):
            raise self._unknown(ref)
        key = self._keys[ref.position]
        if key is IGNORED or key is UNKNOWN:
            reason = "was ignored because of a conflict" if key is IGNORED else "has no key"
            raise KeyError(f"the row of {ref!r} {reason}")
        found: T = key
        return found

    def get(self, ref: Ref[T]) -> T | None:
        """Return the key of a row; None where it has none. Errors as of `result[ref]`."""
        if not isinstance(ref, Ref) or ref.owner is not self._owner or ref.position >= len(self._keys):
            raise self._unknown(ref)
        key = self._keys[ref.position]
        return None if key is IGNORED or key is UNKNOWN else key

    def _unknown(self, ref: object) -> QueryError:
        if not isinstance(ref, Ref):
            return QueryError(f"{ref!r} is not a ref", hint="push(…) returns one: result[ref]")
        return QueryError(f"{ref!r} is not of the changeset that was committed", hint="use the refs that it gave")

    def _resolve(self, ref: Ref[Any]) -> Any:
        """
        Return the key that a ref stands for, while the commit runs.

        Raises:
            MissingRow: Its row was ignored because of a conflict, and has none.
        """
        key = self._keys[ref.position]
        if key is IGNORED:
            raise MissingRow(
                f"{ref!r} has no key: its row was ignored because of a conflict",
                relation=ref.relation,
                hint="update the stored row on a conflict, then its key comes back: on_conflict(…, update=[…])",
            )
        return key[ref.part] if isinstance(ref, KeyPart) else key

    def _known_keys(self) -> frozenset[Any]:
        """Return the keys of rows that are inserted so far."""
        return frozenset([each for each in self._keys if each is not UNKNOWN and each is not IGNORED])

    def __repr__(self) -> str:
        ignored = f", {self.ignored} ignored" if self.ignored else ""
        return f"<Committed: {self.inserted} inserted, {self.updated} updated, {self.deleted} deleted{ignored}>"
