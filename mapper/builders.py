"""
What a changeset hands out: the inserts, updates and deletes of one relation, which are told step by step what to do.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, Self, overload

from typing_extensions import TypeVar

from mapper.checking import checked_assignments, checked_condition, checked_ref, conflict_rule
from mapper.deferred import Ref
from mapper.errors import QueryError
from mapper.expressions import Assignment, Attribute, Expr
from mapper.layouts import Read, RowReader, RowShape
from mapper.pushed import Pushed, pushed
from mapper.relation import RelationInfo
from mapper.returned import Returned
from mapper.selected import Selectable
from mapper.sources import Derived
from mapper.updatesources import checked_source
from mapper.wrappers import Keyed
from mapper.writes import ConflictRule, Deletion, PushedRows, Update, refs_in, source_reads

if TYPE_CHECKING:
    from mapper.changeset import Changeset

__all__ = ["Deletes", "Inserts", "Updates"]

M = TypeVar("M")
R = TypeVar("R", default=Any)
K = TypeVar("K", default=int)
W = TypeVar("W", default=Keyed[M, K])
_new: Final = object.__new__

T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")
T4 = TypeVar("T4")
T5 = TypeVar("T5")
T6 = TypeVar("T6")


class Inserts(Generic[M, R, K, W]):
    """New rows of one relation, pushed to a changeset. `M` is the model, `W` the wrapper, `K` the key's type."""

    __slots__ = ("_changes", "_conflict", "_described", "_reader", "_returned", "_write")

    def __init__(self, changes: "Changeset[Any]", reader: RowReader) -> None:
        self._changes = changes
        self._described = reader.described
        self._reader = reader
        self._conflict: ConflictRule | None = None
        self._returned: Returned[Any] | None = None
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
        if (
            write is None
            or write.closed
            or write.shape is not shape
            or write.conflict is not self._conflict
            or write.returned is not self._returned
        ):
            write = self._write = changes._pushed_rows(shape, self._conflict, self._returned)
        if refs:
            row = len(write.rows)
            write.refs.extend([(row, each) for each in refs])
        if changes._run is not None:
            changes._settle()
        order = changes._order
        position = len(order)
        order.append(write.number)
        write.positions.append(position)
        write.rows.append(values)
        # As its class does when it is called, in half the time.
        ref: Pushed[K, R] = _new(Pushed)
        ref.relation = self._described.relation
        ref.position = position
        ref.owner = changes._owner
        return ref

    def extend(self, models: Iterable[M | W], /) -> list[Pushed[K, R]]:
        """Push each; return their refs in the same order, below each of which rows can be pushed: `ref.with_(…)`."""
        changes, relation, reader = self._changes, self._described.relation, self._reader
        owner, numbers, refs = changes._owner, changes._numbers, list[Pushed[K, R]]()
        straight = reader.straight
        if straight is not None and type(models) is list and set(map(type, models)) == {straight[0]}:
            return self._extend_straight(models, straight[1], straight[2])
        write: PushedRows | None = None
        for model in models:
            if straight is not None and type(model) is straight[0]:
                found, values = straight[2], straight[1](model)
            else:
                found, values = reader.read(model)
                straight = None if refs else reader.straight
            if write is None or found is not write.shape or write.closed:
                write = changes._pushed_rows(found, self._conflict, self._returned)
            if changes._run is not None:
                changes._settle()
            position = len(numbers)
            numbers.append(write.number)
            write.positions.append(position)
            write.rows.append(values)
            refs.append(Pushed(relation, position, owner))
        return refs

    def _extend_straight(self, models: list[M | W], read: Read, shape: RowShape) -> list[Pushed[K, R]]:
        """Push models of the relation's own class, all of which are read alike, at once."""
        changes, relation = self._changes, self._described.relation
        rows = list(map(read, models))
        write, start = changes._pushed_rows(shape, self._conflict, self._returned), len(changes._numbers)
        places = range(start, start + len(rows))
        changes._numbers.extend([write.number] * len(rows))
        write.positions.extend(places)
        write.rows.extend(rows)
        return pushed(relation, places, changes._owner)

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

    @overload
    def returning(self, item: Selectable[T1, R], /) -> Returned[T1]: ...
    @overload
    def returning(self, a: Selectable[T1, R], b: Selectable[T2, R], /) -> Returned[tuple[T1, T2]]: ...
    @overload
    def returning(
        self, a: Selectable[T1, R], b: Selectable[T2, R], c: Selectable[T3, R], /
    ) -> Returned[tuple[T1, T2, T3]]: ...
    @overload
    def returning(
        self, a: Selectable[T1, R], b: Selectable[T2, R], c: Selectable[T3, R], d: Selectable[T4, R], /
    ) -> Returned[tuple[T1, T2, T3, T4]]: ...
    @overload
    def returning(
        self,
        a: Selectable[T1, R],
        b: Selectable[T2, R],
        c: Selectable[T3, R],
        d: Selectable[T4, R],
        e: Selectable[T5, R],
        /,
    ) -> Returned[tuple[T1, T2, T3, T4, T5]]: ...
    @overload
    def returning(
        self,
        a: Selectable[T1, R],
        b: Selectable[T2, R],
        c: Selectable[T3, R],
        d: Selectable[T4, R],
        e: Selectable[T5, R],
        f: Selectable[T6, R],
        /,
        *more: Selectable[Any, R],
    ) -> Returned[tuple[Any, ...]]: ...
    def returning(self, *items: Any) -> Returned[Any]:
        """
        Have something of each row come back that is pushed from here on, in the operation that inserts it:
        `titles = posts.returning(Posts.id, Posts.title)`, and after the commit `result[titles]`.

        Args:
            items: Columns, as of `select`: one alone gives its value, several a tuple. The relation gives its wrapper,
                `model_of(Posts)` the model.

        Returns:
            A slot. `result[slot]` is a list in the order of the pushes; rows that were ignored because of a conflict
            are not in it, and of one that updated a stored row it is that row which is.

        Raises:
            QueryError: Something is no column of the relation. At commit, a store without it raises `Unsupported`.
        """
        self._returned = self._changes._slot(self._described, items)
        return self._returned

    def __repr__(self) -> str:
        return f"<Inserts of {self._described.relation.__name__}>"


class Updates(Generic[R]):
    """An update of all rows of one relation that fulfil a condition."""

    __slots__ = ("_changes", "_write")

    def __init__(self, changes: "Changeset[Any]", described: RelationInfo) -> None:
        self._changes = changes
        self._write = Update(described, len(changes._writes), len(changes))
        changes._alone(described, self._write)

    def from_(self, source: Derived[Any], /, *, on: Expr[bool, R] | Expr[bool | None, R]) -> Self:
        """
        Take values from other rows: `updates(Posts).from_(values(New, rows), on=New.id == Posts.id)`, and then
        `.set(Posts.title.to(New.title))`.

        It is one operation, whatever the number of rows. A row without one in the source stays as it is. Where several
        rows of a subquery go with one row, one of them is taken, and which is not said.

        Args:
            source: `values(…)` or `subquery(…)`.
            on: What ties a row of the source to one that is updated.

        Raises:
            QueryError: It is no such source, comes behind `set` or `where`, or two rows of `values` go with one row.
        """
        write, changes = self._write, self._changes
        checked, condition = checked_source(write, source, on, changes._owner)
        changes._close_read([condition])
        for each in source_reads(checked):
            changes._close(each)
        write.source, write.on = checked, condition
        return self

    def where(self, *conditions: Expr[bool, R] | Expr[bool | None, R]) -> Self:
        """Update rows for which all conditions hold. Called again, it adds to them."""
        write, changes = self._write, self._changes
        source = None if write.source is None else write.source.__relation__
        checked = [checked_condition(write.described, each, changes._owner, source=source) for each in conditions]
        changes._close_read(checked)
        write.conditions.extend(checked)
        return self

    def set(self, *assignments: Assignment[R]) -> Self:
        """Assign columns; values may be expressions over the row as it was before. Called again, it adds to them."""
        write, changes = self._write, self._changes
        source = None if write.source is None else write.source.__relation__
        checked = checked_assignments(write.described, assignments, changes._owner, source=source)
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

    @overload
    def returning(self, item: Selectable[T1, R], /) -> Returned[T1]: ...
    @overload
    def returning(self, a: Selectable[T1, R], b: Selectable[T2, R], /) -> Returned[tuple[T1, T2]]: ...
    @overload
    def returning(
        self, a: Selectable[T1, R], b: Selectable[T2, R], c: Selectable[T3, R], /
    ) -> Returned[tuple[T1, T2, T3]]: ...
    @overload
    def returning(
        self, a: Selectable[T1, R], b: Selectable[T2, R], c: Selectable[T3, R], d: Selectable[T4, R], /
    ) -> Returned[tuple[T1, T2, T3, T4]]: ...
    @overload
    def returning(
        self,
        a: Selectable[T1, R],
        b: Selectable[T2, R],
        c: Selectable[T3, R],
        d: Selectable[T4, R],
        e: Selectable[T5, R],
        /,
    ) -> Returned[tuple[T1, T2, T3, T4, T5]]: ...
    @overload
    def returning(
        self,
        a: Selectable[T1, R],
        b: Selectable[T2, R],
        c: Selectable[T3, R],
        d: Selectable[T4, R],
        e: Selectable[T5, R],
        f: Selectable[T6, R],
        /,
        *more: Selectable[Any, R],
    ) -> Returned[tuple[Any, ...]]: ...
    def returning(self, *items: Any) -> Returned[Any]:
        """
        Have something of each updated row come back, as it is after the update, in the same operation:
        `updates(Posts).where(…).set(…).returning(Posts.id, Posts.title)`.

        Args:
            items: Columns, as of `select`: one alone gives its value, several a tuple. The relation gives its wrapper,
                `model_of(Posts)` the model.

        Returns:
            A slot: after the commit, `result[slot]` is a list, in no particular order.

        Raises:
            QueryError: Something is no column of the relation, or this was said before. At commit, a store without it
                raises `Unsupported`.
        """
        return _given_back(self._changes, self._write, items)

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

    @overload
    def returning(self, item: Selectable[T1, R], /) -> Returned[T1]: ...
    @overload
    def returning(self, a: Selectable[T1, R], b: Selectable[T2, R], /) -> Returned[tuple[T1, T2]]: ...
    @overload
    def returning(
        self, a: Selectable[T1, R], b: Selectable[T2, R], c: Selectable[T3, R], /
    ) -> Returned[tuple[T1, T2, T3]]: ...
    @overload
    def returning(
        self, a: Selectable[T1, R], b: Selectable[T2, R], c: Selectable[T3, R], d: Selectable[T4, R], /
    ) -> Returned[tuple[T1, T2, T3, T4]]: ...
    @overload
    def returning(
        self,
        a: Selectable[T1, R],
        b: Selectable[T2, R],
        c: Selectable[T3, R],
        d: Selectable[T4, R],
        e: Selectable[T5, R],
        /,
    ) -> Returned[tuple[T1, T2, T3, T4, T5]]: ...
    @overload
    def returning(
        self,
        a: Selectable[T1, R],
        b: Selectable[T2, R],
        c: Selectable[T3, R],
        d: Selectable[T4, R],
        e: Selectable[T5, R],
        f: Selectable[T6, R],
        /,
        *more: Selectable[Any, R],
    ) -> Returned[tuple[Any, ...]]: ...
    def returning(self, *items: Any) -> Returned[Any]:
        """
        Have something of each deleted row come back, as it was, in the same operation; see `Updates.returning`.
        """
        return _given_back(self._changes, self._write, items)

    def __repr__(self) -> str:
        return f"<Deletes of {self._write.described.relation.__name__}>"


def _given_back(changes: "Changeset[Any]", write: Update | Deletion, items: Sequence[Any]) -> Returned[Any]:
    if write.returned is not None:
        raise QueryError(
            f"what comes back of {write.described.relation.__name__} is said twice",
            hint="name all of it at once: returning(Posts.id, Posts.title)",
        )
    write.returned = changes._slot(write.described, items)
    return write.returned
