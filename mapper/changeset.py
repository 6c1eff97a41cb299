"""
Changesets: the writes of one unit of work, as data.

Models, assignments and conditions go in, without a connection; `commit` sends all of it to a repository's store in one
transaction, and gives back the keys of what was inserted.
"""

from collections.abc import Hashable, Sequence
from typing import Any, Generic

from typing_extensions import TypeVar

from mapper.builders import Deletes, Inserts, Updates
from mapper.commit import Committed, commit
from mapper.deferred import Ref
from mapper.errors import QueryError
from mapper.expressions import Assignment, Expr
from mapper.isolation import Isolation
from mapper.layouts import RowShape
from mapper.relation import RelationInfo, StoredIn, info
from mapper.rowupdates import RowUpdater, updater_of
from mapper.stores import Stores
from mapper.writes import (
    ConflictRule,
    DeletedRows,
    Deletion,
    PushedRows,
    RowUpdate,
    Update,
    UpdatedRows,
    Write,
    reads_of,
)

__all__ = ["Changeset", "Deletes", "Inserts", "Updates"]

R1 = TypeVar("R1")
R2 = TypeVar("R2")
ModelT = TypeVar("ModelT")
KeyT = TypeVar("KeyT")
WrapperT = TypeVar("WrapperT")


class Changeset(Generic[R1]):
    """
    Writes to the relations `R`, collected in order and committed as one: all of them, or none.

    It is made by the class of a repository, `BlogRepository.change()`, and needs no connection. It is data: it can be
    committed again, on another repository too, and then writes again. Two are equal when they hold the same writes.

    Its length is the number of rows pushed, and of updates and deletes; an empty one is false and commits without I/O.
    """

    __slots__ = (
        "_kinds",
        "_numbers",
        "_open",
        "_owner",
        "_repository",
        "_rules",
        "_updated",
        "_updaters",
        "_writes",
    )

    def __init__(self, repository: type[Stores[R1]] | None = None) -> None:
        self._repository = repository
        self._owner = object()
        self._writes: list[Write] = []
        self._numbers: list[int] = []
        self._kinds: dict[Any, str] = {}
        self._open: dict[Any, dict[Hashable, Any]] = {}
        self._rules: dict[Hashable, ConflictRule] = {}
        self._updaters: dict[Any, RowUpdater] = {}
        self._updated: UpdatedRows | None = None

    def inserts(
        self, relation: StoredIn[Stores[R1], ModelT, KeyT, WrapperT, R2]
    ) -> Inserts[ModelT, R2, KeyT, WrapperT]:
        """
        Return what new rows of a relation are pushed to.

        Raises:
            NotStored: The repository does not store the relation.
        """
        return Inserts(self, self._target(relation))

    def updates(self, relation: StoredIn[Stores[R1], Any, Any, Any, R2]) -> Updates[R2]:
        """
        Return an update of rows of a relation: `updates(Posts).where(…).set(…)`.

        It takes its place among the writes here. At commit it must have something to set, and either a condition or
        `everywhere()`.

        Raises:
            NotStored: The repository does not store the relation.
        """
        return Updates(self, self._target(relation))

    def update(
        self,
        relation: StoredIn[Stores[R1], ModelT, Any, WrapperT, R2],
        row: WrapperT,
        /,
        *new: ModelT | Assignment[R2],
    ) -> None:
        """
        Update one row, named by its wrapper: `update(Posts, keyed, Posts.title.to("new"))`.

        With a version column the update is optimistic: at commit `StaleRow` is raised where the row has another version
        by then, and `MissingRow` where it is not there; the whole changeset is then undone.

        Args:
            relation: Of the row; a wrapper does not know.
            row: As it was read.
            new: Assignments; or the new model, of which the columns are written that differ from `row.model`, with
                further assignments behind it. Where nothing differs, nothing is written. A mutable model that is
                `row.model` itself is written whole, because what it was before is not known.

        Raises:
            QueryError: The row, the model or an assignment is not of the relation.
            NotStored: The repository does not store the relation.
        """
        updater = self._updaters.get(relation) or self._updater(relation)
        key = updater.key_of(row)
        read = updater.read(row, new, self._owner)
        if read is None:
            return
        shape, values = read
        write = self._updated
        if write is None or write.closed or write.shape is not shape:
            write = self._updated = self._updated_rows(updater.described, shape)
        for each in values:
            if isinstance(each, Ref):
                write.refs.append((len(write.rows), each))
        self._place(write)
        write.rows.append((values, key))

    def deletes(self, relation: StoredIn[Stores[R1], Any, Any, Any, R2]) -> Deletes[R2]:
        """
        Return a delete of rows of a relation: `deletes(Posts).where(…)`. It needs a condition, or `everywhere()`.

        Raises:
            NotStored: The repository does not store the relation.
        """
        return Deletes(self, self._target(relation))

    def delete(self, relation: StoredIn[Stores[R1], Any, Any, WrapperT, Any], row: WrapperT, /) -> None:
        """
        Delete one row, named by its wrapper. Versions and errors are as of `update`.

        Raises:
            QueryError: The row is not of the relation.
            NotStored: The repository does not store the relation.
        """
        updater = self._updaters.get(relation) or self._updater(relation)
        described = updater.described
        key = updater.key_of(row)
        write: DeletedRows = self._opened(described, "delete rows", None) or self._begun(
            described, None, DeletedRows(described, len(self._writes))
        )
        self._place(write)
        write.rows.append(key)

    async def commit(
        self, repository: Stores[R1], *, retries: int = 0, isolation: Isolation | None = None
    ) -> Committed:
        """
        Write everything, in one transaction; on a transaction, as one unit of it.

        Args:
            repository: A repository that stores the relations, or a transaction of one.
            retries: How often the whole is tried again after an error that trying again can help, such as
                `SerializationFailure` and `Deadlock`; never after `CommitUnknown`. Not on a transaction, which is
                retried as a whole: `repository.run(work)`.
            isolation: The level of the transaction; the store's default without it. Not on a transaction.

        Returns:
            The keys of the rows that were pushed, and numbers of rows.

        Raises:
            NotStored, Unsupported, ValueNotStorable, QueryError: Before anything is sent.
            StoreError: Nothing is written, unless it is `CommitUnknown`.
        """
        return await commit(self._writes, self._numbers, self._owner, repository, retries=retries, isolation=isolation)

    def __len__(self) -> int:
        return len(self._numbers)

    def __bool__(self) -> bool:
        return bool(self._numbers)

    def __eq__(self, other: object) -> bool:
        return self._contents() == other._contents() if isinstance(other, Changeset) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        counts: dict[tuple[str, str], int] = {}
        for each in self._writes:
            number = 1 if isinstance(each, Update | Deletion) else len(each.rows)
            kind = each.kind.partition(" ")[0]
            what = (kind, each.described.relation.__name__)
            counts[what] = counts.get(what, 0) + number
        shown = [f"{number} {kind}{'s' * (number != 1)} of {name}" for (kind, name), number in counts.items()]
        return f"<Changeset: {', '.join(shown) or 'empty'}>"

    # -- inside --------------------------------------------------------------------------------------------------------

    def _contents(self) -> list[tuple[object, ...]]:
        return sorted([each for write in self._writes for each in write.contents()], key=lambda each: each[0])  # type: ignore[arg-type,return-value]  # the position

    def _target(self, relation: Any) -> RelationInfo:
        described = info(relation)
        if described.alias is not None or described.common:
            kind = "an alias" if described.alias is not None else "a common table"
            raise QueryError(f"{relation.__name__} is {kind} and cannot be written", hint="write to a relation itself")
        if self._repository is not None and relation not in self._repository._relations:
            self._repository._require(frozenset({relation}))
        return described

    def _updater(self, relation: Any) -> RowUpdater:
        found = self._updaters[relation] = updater_of(self._target(relation))
        return found

    def _place(self, write: PushedRows | UpdatedRows | DeletedRows) -> int:
        """Return the position of a further row of a write."""
        position = len(self._numbers)
        self._numbers.append(write.number)
        write.positions.append(position)
        return position

    def _opened(self, described: RelationInfo, kind: str, key: Hashable) -> Any:
        """Return the write of this kind and key that can take further rows; None where there is none."""
        relation = described.relation
        if self._kinds.get(relation) != kind:
            self._close(relation)
            self._kinds[relation] = kind
        return self._open.setdefault(relation, {}).get(key)

    def _begun(self, described: RelationInfo, key: Hashable, write: Any) -> Any:
        self._writes.append(write)
        self._open[described.relation][key] = write
        return write

    def _close(self, relation: Any) -> None:
        """Let no more rows be added to the writes of a relation: something else comes between."""
        for each in self._open.pop(relation, {}).values():
            each.closed = True
        self._kinds.pop(relation, None)

    def _pushed_rows(self, shape: RowShape, conflict: ConflictRule | None) -> PushedRows:
        key = (shape, conflict)
        known: PushedRows | None = self._opened(shape.described, "insert", key)
        return known or self._begun(shape.described, key, PushedRows(shape, conflict, len(self._writes)))

    def _updated_rows(self, described: RelationInfo, shape: RowUpdate) -> UpdatedRows:
        known: UpdatedRows | None = self._opened(described, "update rows", shape.key)
        if known is not None:
            return known
        write: UpdatedRows = self._begun(described, shape.key, UpdatedRows(shape, len(self._writes)))
        self._close_read([expression for _, expression in shape.assignments])
        return write

    def _known_rule(self, rule: ConflictRule) -> ConflictRule:
        """Return the rule itself, or one given before that says the same, so that their rows go together."""
        key = rule.content_key()
        return rule if key is None else self._rules.setdefault((rule.described.token, *key), rule)

    def _close_read(self, expressions: Sequence[Expr[Any, Any]]) -> None:
        for each in reads_of(expressions):
            self._close(each)

    def _alone(self, described: RelationInfo, write: Any) -> None:
        """Add an update or a delete by conditions, which is a barrier for its relation."""
        self._close(described.relation)
        self._writes.append(write)
        self._numbers.append(write.number)
