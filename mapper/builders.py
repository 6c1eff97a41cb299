"""
What a changeset hands out: the inserts, updates and deletes of one relation, which are told step by step what to do.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Generic, Self

from typing_extensions import TypeVar

from mapper.checking import checked_assignments, checked_condition, checked_ref, conflict_rule
from mapper.deferred import Ref
from mapper.errors import QueryError
from mapper.expressions import Assignment, Attribute, Expr
from mapper.layouts import reader_of
from mapper.pushed import Pushed
from mapper.relation import RelationInfo
from mapper.wrappers import Keyed
from mapper.writes import ConflictRule, Deletion, PushedRows, Update, refs_in

if TYPE_CHECKING:
    from mapper.changeset import Changeset

__all__ = ["Deletes", "Inserts", "Updates"]

M = TypeVar("M")
R = TypeVar("R", default=Any)
K = TypeVar("K", default=int)
W = TypeVar("W", default=Keyed[M, K])


class Inserts(Generic[M, R, K, W]):
    """New rows of one relation, pushed to a changeset. `M` is the model, `W` the wrapper, `K` the key's type."""

    __slots__ = ("_changes", "_conflict", "_described", "_reader", "_write")

    def __init__(self, changes: "Changeset[Any]", described: RelationInfo) -> None:
        self._changes = changes
        self._described = described
        self._reader = reader_of(described)
        self._conflict: ConflictRule | None = None
        self._write: PushedRows | None = None

    def push(self, model: M | W, /, *assignments: Assignment[R]) -> Pushed[K, R]:
        """
        Add a row.

        Args:
            model: The model, or a wrapper, of which key, version and further columns are taken too. What it holds is
                taken now: changing it later changes nothing. None for a key means that the store makes it.
            assignments: Columns that the model lacks, or other values for those that it has. A value may be a `Ref`.

        Returns:
            The key that the row will have, for use as a value in this changeset; after the commit, `result[ref]`.
            Rows that belong to it can follow at once: `.with_(PostComments, comments)`.

        Raises:
            QueryError: The model is of another class, an assignment is wrong, or a column is left without a value.
        """
        changes, straight = self._changes, self._reader.straight
        refs: list[Ref[Any]] | None = None
        if straight is not None and not assignments and type(model) is straight[0]:
            shape, values = straight[2], straight[1](model)
        else:
            shape, values = self._reader.read(model, assignments)
            if assignments:
                refs = [checked_ref(each, changes._owner) for each in refs_in(values)]
        write = self._write
        if write is None or write.closed or write.shape is not shape or write.conflict is not self._conflict:
            write = self._write = changes._pushed_rows(shape, self._conflict)
        if refs:
            row = len(write.rows)
            write.refs.extend([(row, each) for each in refs])
        position = len(changes._numbers)
        changes._numbers.append(write.number)
        write.positions.append(position)
        write.rows.append(values)
        return Pushed(self._described.relation, position, changes._owner)

    def extend(self, models: Iterable[M | W], /) -> list[Ref[K]]:
        """Push each; return their refs in the same order."""
        changes, relation, reader = self._changes, self._described.relation, self._reader
        owner, numbers, refs = changes._owner, changes._numbers, list[Ref[K]]()
        straight = reader.straight
        write: PushedRows | None = None
        for model in models:
            if straight is not None and type(model) is straight[0]:
                found, values = straight[2], straight[1](model)
            else:
                found, values = reader.read(model)
                straight = None if refs else reader.straight
            if write is None or found is not write.shape or write.closed:
                write = changes._pushed_rows(found, self._conflict)
            position = len(numbers)
            numbers.append(write.number)
            write.positions.append(position)
            write.rows.append(values)
            refs.append(Pushed(relation, position, owner))
        return refs

    def on_conflict(
        self,
        *columns: Attribute[Any, R],
        update: Sequence[Attribute[Any, R]] = (),
        set_: Sequence[Assignment[R]] = (),
        where: Expr[bool, R] | Expr[bool | None, R] | None = None,
    ) -> Self:
        """
        Say what rows pushed from here on do with a row that is there already.

        Without `update` and `set_` the pushed row is ignored, and the stored one left as it is.

        Args:
            columns: The key, or the columns of a unique constraint; without any, whatever constraint it conflicts with.
            update: Columns that take the pushed value.
            set_: Assignments to the stored row, in which `excluded(Posts.title)` is the pushed value.
            where: The stored row is updated only where this holds; else the pushed row is ignored.

        Raises:
            QueryError: The columns are no key and no unique constraint, or the update is wrong.
        """
        changes = self._changes
        rule = conflict_rule(self._described, columns, update, set_, where, changes._owner)
        changes._close_read(rule.expressions())
        self._conflict = changes._known_rule(rule)
        return self

    def __repr__(self) -> str:
        return f"<Inserts of {self._described.relation.__name__}>"


class Updates(Generic[R]):
    """An update of all rows of one relation that fulfil a condition."""

    __slots__ = ("_changes", "_write")

    def __init__(self, changes: "Changeset[Any]", described: RelationInfo) -> None:
        self._changes = changes
        self._write = Update(described, len(changes._writes), len(changes))
        changes._alone(described, self._write)

    def where(self, *conditions: Expr[bool, R] | Expr[bool | None, R]) -> Self:
        """Update rows for which all conditions hold. Called again, it adds to them."""
        write, changes = self._write, self._changes
        checked = [checked_condition(write.described, each, changes._owner) for each in conditions]
        changes._close_read(checked)
        write.conditions.extend(checked)
        return self

    def set(self, *assignments: Assignment[R]) -> Self:
        """Assign columns; values may be expressions over the row as it was before. Called again, it adds to them."""
        write, changes = self._write, self._changes
        checked = checked_assignments(write.described, assignments, changes._owner)
        known = {column.attribute for column, _ in write.assignments}
        for column, _ in checked:
            if column.attribute in known:
                raise QueryError(f"{write.described.relation.__name__}.{column.attribute} is assigned twice")
        changes._close_read([expression for _, expression in checked])
        write.assignments.extend(checked)
        return self

    def everywhere(self) -> Self:
        """Update every row, where no condition is given."""
        self._write.everywhere = True
        return self

    def __repr__(self) -> str:
        write = self._write
        return f"<Updates of {write.described.relation.__name__}: {len(write.assignments)} columns>"


class Deletes(Generic[R]):
    """A delete of all rows of one relation that fulfil a condition."""

    __slots__ = ("_changes", "_write")

    def __init__(self, changes: "Changeset[Any]", described: RelationInfo) -> None:
        self._changes = changes
        self._write = Deletion(described, len(changes._writes), len(changes))
        changes._alone(described, self._write)

    def where(self, *conditions: Expr[bool, R] | Expr[bool | None, R]) -> Self:
        """Delete rows for which all conditions hold. Called again, it adds to them."""
        write, changes = self._write, self._changes
        checked = [checked_condition(write.described, each, changes._owner) for each in conditions]
        changes._close_read(checked)
        write.conditions.extend(checked)
        return self

    def everywhere(self) -> Self:
        """Delete every row, where no condition is given."""
        self._write.everywhere = True
        return self

    def __repr__(self) -> str:
        return f"<Deletes of {self._write.described.relation.__name__}>"
