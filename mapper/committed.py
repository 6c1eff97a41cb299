"""
What a commit did: keys and numbers of rows, collected while it runs, and handed out behind it.
"""

from collections.abc import Sequence
from typing import Any, Final, overload

from typing_extensions import TypeVar

from mapper.columns import ColumnInfo
from mapper.deferred import KeyPart, Ref
from mapper.errors import MissingRow, QueryError
from mapper.operations import Outcome
from mapper.returned import Returned
from mapper.types import Codecs

__all__ = ["IGNORED", "UNKNOWN", "Committed"]

T = TypeVar("T")

UNKNOWN: Final[Any] = object()
"""The key of a row that is not inserted yet, or whose relation has none."""

IGNORED: Final[Any] = object()
"""In the place of the key of a row that was ignored because of a conflict."""


def _place(row: tuple[int, Any]) -> int:
    return row[0]


class Committed:
    """
    What a commit did: `result[ref]` is the key of a pushed row, `result[slot]` what `returning` asked for, and
    `result.status(ref)` what a conflict made of a row.

    Attributes:
        inserted, updated, deleted: Numbers of rows; rows of an `on_conflict` that updated count as updated.
        ignored: Rows that were pushed and, because of a conflict, changed nothing.
    """

    __slots__ = ("_back", "_keys", "_outcomes", "_owner", "_suspects", "deleted", "ignored", "inserted", "updated")

    def __init__(self, rows: int, owner: object) -> None:
        # By the position of the row in the changeset.
        self._keys: list[Any] = [UNKNOWN] * rows
        self._owner = owner
        # By the number of a slot, what came back: the row's position, and the values that the slot reads.
        self._back: dict[int, list[tuple[int, tuple[Any, ...]]]] = {}
        # By position, of rows that were not inserted because of a conflict.
        self._outcomes: dict[int, Outcome] = {}
        self.inserted = self.updated = self.deleted = self.ignored = 0
        # What is asked of the store where it is not known which row a constraint refused.
        self._suspects: Any = None

    @overload
    def __getitem__(self, ref: Ref[T]) -> T: ...
    @overload
    def __getitem__(self, ref: Returned[T]) -> list[T]: ...
    def __getitem__(self, ref: Any) -> Any:
        """
        Return the key of a row, a tuple where it has several columns; or for a slot of `returning`, what came back.

        Raises:
            KeyError: The row was ignored because of a conflict, or its relation has no key.
            QueryError: The ref or slot is of another changeset.
        """
        if isinstance(ref, Returned):
            return self._given_back(ref)
        if not isinstance(ref, Ref) or ref.owner is not self._owner or ref.position >= len(self._keys):
            raise self._unknown(ref)
        key = self._keys[ref.position]
        if key is IGNORED or key is UNKNOWN:
            reason = "was ignored because of a conflict" if key is IGNORED else "has no key"
            raise KeyError(f"the row of {ref!r} {reason}")
        return key

    def get(self, ref: Ref[T]) -> T | None:
        """Return the key of a row; None where it has none. Errors as of `result[ref]`."""
        if not isinstance(ref, Ref) or ref.owner is not self._owner or ref.position >= len(self._keys):
            raise self._unknown(ref)
        key = self._keys[ref.position]
        return None if key is IGNORED or key is UNKNOWN else key

    def status(self, ref: Ref[Any]) -> Outcome:
        """
        Return what became of a row that was pushed: "inserted"; or, because of a conflict, "updated" where it changed
        the stored row, or "ignored" where that was left as it is. Errors as of `result[ref]`, but `KeyError`.
        """
        if not isinstance(ref, Ref) or ref.owner is not self._owner or ref.position >= len(self._keys):
            raise self._unknown(ref)
        return self._outcomes.get(ref.position, "inserted")

    def _give_back(
        self,
        slot: Returned[Any],
        columns: Sequence[ColumnInfo],
        rows: Sequence[Any],
        codecs: Codecs,
        positions: Sequence[int] = (),
    ) -> None:
        """
        Keep what came back for a slot.

        Args:
            columns: Of the rows.
            rows: As the store has them; None is a row that was ignored.
            positions: Of the rows in the changeset; () where they have none.
        """
        read = slot.reader(columns, codecs)
        kept = self._back.setdefault(slot.number, [])
        places = positions or [0] * len(rows)
        kept.extend([(place, read(row)) for place, row in zip(places, rows, strict=True) if row is not None])

    def _given_back(self, slot: Returned[T]) -> list[T]:
        if slot.owner is not self._owner:
            raise QueryError(f"{slot!r} is not of the changeset that was committed", hint="use the slots that it gave")
        kept = sorted(self._back.get(slot.number, ()), key=_place)
        return slot.objects([values for _, values in kept])

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
