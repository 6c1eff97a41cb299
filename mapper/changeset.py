"""
Changesets: the writes of one unit of work, as data.

Models, assignments and conditions go in, without a connection; `commit` sends all of it to a repository's store in one
transaction, and gives back the keys of what was inserted.
"""

from bisect import bisect_left
from collections.abc import Hashable, Iterable, Sequence
from datetime import timedelta
from typing import Any, Final, Generic

from attrs import define
from typing_extensions import TypeVar

from mapper.blaming import blame
from mapper.builders import Deletes, Inserts, Updates
from mapper.commit import commit
from mapper.committed import Committed
from mapper.deferred import KeyPart, Ref
from mapper.describing import description
from mapper.errors import ConstraintViolation, QueryError
from mapper.expressions import Assignment, Expr
from mapper.followups import FollowUp, checked, content_of
from mapper.isolation import Isolation
from mapper.layouts import RowReader, RowShape, Values, reader_of
from mapper.merging import Moved, merged
from mapper.nesting import Children, link, replace, unlink
from mapper.once import ONCE_TTL
from mapper.pushed import Leads, NewRow, Owner
from mapper.queuing import to_json
from mapper.relation import RelationInfo, StoredIn, info
from mapper.returned import Returned, returned
from mapper.rowupdates import RowUpdater, updater_of
from mapper.sole import insert_of, take_insert, update_of
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
    refs_in,
)

__all__ = ["Changeset", "Deletes", "Inserts", "Updates"]

R1 = TypeVar("R1")
R2 = TypeVar("R2")
ModelT = TypeVar("ModelT")
KeyT = TypeVar("KeyT")
WrapperT = TypeVar("WrapperT")
OwnerKeyT = TypeVar("OwnerKeyT")
OwnerWrapperT = TypeVar("OwnerWrapperT")


LIMIT: Final = 2048
"""Readers and updaters that are kept; where there are more, all are looked for anew."""

_NOTHING: Final[Any] = object()
"""In the place of an assignment that is not given."""

_readers: dict[tuple[Any, Any], RowReader] = {}
_updaters: dict[tuple[Any, Any], RowUpdater] = {}
# By repository, which stores the relation, and relation: what is checked once is not checked for every changeset.


@define(eq=False)
class _Open:
    """
    Writes of one relation and kind that can take further rows.

    Attributes:
        writes: By what their rows have in common.
        behind: Of inserts, updates of the new rows that stand behind all of them; while there are any, no further
            insert begins. None before there is one.
        conflicts: Of inserts, whether any has a rule for conflicts, so that it may update a row.
    """

    kind: str
    writes: dict[Hashable, Any]
    behind: dict[str, UpdatedRows] | None = None
    conflicts: bool = False


class _Run:
    """
    Updates one after the other that are alike but for their values: of one column to a mere value, by a mere key.

    Attributes:
        relation, attribute: What is updated.
        value, key: Types of the value and of the key.
        write: What they are added to.
        rows: The write's, to which alone one is added; its place among all rows is counted later, for many at once.
    """

    __slots__ = ("attribute", "key", "relation", "rows", "value", "write")

    def __init__(self, relation: Any, assignment: Assignment[Any], key: type[Any], write: UpdatedRows) -> None:
        self.relation = relation
        self.attribute: Any = assignment.attribute
        self.value: type[Any] = type(assignment.value)
        self.key = key
        self.write = write
        self.rows = write.rows


class Changeset(Generic[R1]):
    """
    Writes to the relations `R`, collected in order and committed as one: all of them, or none.

    It is made by the class of a repository, `BlogRepository.change()`, and needs no connection. It is data: it can be
    committed again, on another repository too, and then writes again. Two are equal when they hold the same writes.

    Its length is the number of rows pushed, of updates and deletes, and of what follows them; an empty one is false and
    commits without I/O.
    """

    # `_kept` are the writes and `_order` the number of its write for each row, where all is settled: for others than
    # this class and its builders they are `_writes` and `_numbers`.
    __slots__ = (
        "_kept",
        "_open",
        "_order",
        "_owner",
        "_repository",
        "_rules",
        "_run",
        "_slots",
        "_then",
        "_updated",
        "__weakref__",
    )

    def __init__(self, repository: type[Stores[R1]] | None = None) -> None:
        self._repository = repository
        self._owner = Owner(self)
        self._kept: list[Write] = []
        self._then: list[FollowUp] = []
        self._order: list[int] = []
        # A write that has been the only one of its relation stands for itself; see `_opening`.
        self._open: dict[Any, _Open | PushedRows | UpdatedRows] = {}
        self._rules: dict[Hashable, ConflictRule] = {}
        self._slots: list[Returned[Any]] = []
        self._updated: UpdatedRows | None = None
        self._run: _Run | None = None

    def inserts(
        self, relation: StoredIn[Stores[R1], ModelT, KeyT, WrapperT, R2]
    ) -> Inserts[ModelT, R2, KeyT, WrapperT]:
        """
        Return what new rows of a relation are pushed to.

        Raises:
            NotStored: The repository does not store the relation.
        """
        return Inserts(self, _readers.get((self._repository, relation)) or self._reader(relation))

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
        relation: StoredIn[Stores[R1], ModelT, KeyT, WrapperT, R2],
        row: WrapperT | KeyT | Ref[KeyT],
        new: ModelT | Assignment[R2] = _NOTHING,
        /,
        *further: ModelT | Assignment[R2],
    ) -> None:
        """
        Update one row, named by its wrapper: `update(Posts, keyed, Posts.title.to("new"))`.

        With a version column the update is optimistic: at commit `StaleRow` is raised where the row has another version
        by then, and `MissingRow` where it is not there; the whole changeset is then undone. A key tells no version, so
        that none is compared.

        By the ref of a row that is pushed here, references can be made that go in a circle: push both rows, and then
        give the first the key of the second.

        Args:
            relation: Of the row; a wrapper does not know.
            row: As it was read; or its key, a tuple where it has several columns; or the ref of a row pushed here.
            new: An assignment; or the new model, of which the columns are written that differ from `row.model`. Where
                nothing differs, nothing is written. A mutable model that is `row.model` itself is written whole, because
                what it was before is not known; so is one for a key.
            further: Further assignments.

        Raises:
            QueryError: The row, the model or an assignment is not of the relation.
            NotStored: The repository does not store the relation.
        """
        run = self._run
        if run is not None:
            # As below, for a row like the one before: of many that are updated alike, most are.
            if type(new) is Assignment and new.attribute is run.attribute and relation is run.relation:
                value = new.value
                if type(row) is run.key and type(value) is run.value and not further:
                    run.rows.append((value, row))
                    return
            self._settle()
        updater = _updaters.get((self._repository, relation)) or self._updater(relation)
        read = None if further else updater.read_one(row, new)
        plain, pushed = read is not None, False
        if read is None:
            pushed = isinstance(row, Ref)
            every = () if new is _NOTHING else (new, *further)
            read = updater.read(self._known_key(row) if isinstance(row, Ref) else row, every, self._owner)
            if read is None:
                return
        shape, values = read
        behind = pushed and shape.free
        write = self._updated
        if write is None or write.closed or write.shape is not shape or write.behind is not behind:
            write = self._updated = self._updated_rows(updater.described, shape, behind)
        if not plain:
            write.refs.extend([(len(write.rows), each) for each in refs_in(values)])
        elif type(row) is updater.simple_type and write.rows:
            first: Any = new
            self._run = _Run(relation, first, type(row), write)
        order = self._order
        write.positions.append(len(order))
        order.append(write.number)
        write.rows.append(values)

    def deletes(self, relation: StoredIn[Stores[R1], Any, Any, Any, R2]) -> Deletes[R2]:
        """
        Return a delete of rows of a relation: `deletes(Posts).where(…)`. It needs a condition, or `everywhere()`.

        Raises:
            NotStored: The repository does not store the relation.
        """
        return Deletes(self, self._target(relation))

    def delete(
        self, relation: StoredIn[Stores[R1], Any, KeyT, WrapperT, Any], row: WrapperT | KeyT | Ref[KeyT], /
    ) -> None:
        """
        Delete one row, named by its wrapper, or by its key. Versions and errors are as of `update`.

        Raises:
            QueryError: The row is not of the relation.
            NotStored: The repository does not store the relation.
        """
        updater = _updaters.get((self._repository, relation)) or self._updater(relation)
        described, told = updater.described, updater.tells(row)
        key = updater.key_of(self._known_key(row) if isinstance(row, Ref) else row)
        self._delete_row(described, told, key)

    def children(
        self,
        relationship: Leads[Stores[R1], OwnerKeyT, OwnerWrapperT, ModelT, KeyT, WrapperT, R2],
        owner: OwnerWrapperT | OwnerKeyT | Ref[OwnerKeyT],
        /,
    ) -> Children[ModelT, R2, KeyT, WrapperT]:
        """
        Return what new rows below an owner are pushed to: `children(PostComments, post).push(Comment("first"))`.

        They are given the owner's key; along a `ManyToMany`, a row that ties the two is pushed for each. What the
        relationship's `where` asks for is theirs to fulfil.

        Args:
            relationship: A `HasMany`, `HasOne` or `ManyToMany`.
            owner: Its wrapper, its key, or its ref in this changeset.

        Raises:
            QueryError: The relationship is of another kind, or the owner is not of its relation.
            NotStored: The repository does not store one of the relations.
        """
        return Children(self, relationship, owner)

    def link(
        self,
        relationship: Leads[Stores[R1], OwnerKeyT, OwnerWrapperT, ModelT, KeyT, WrapperT, R2],
        owner: OwnerWrapperT | OwnerKeyT | Ref[OwnerKeyT],
        target: WrapperT | KeyT | Ref[KeyT],
        /,
        *assignments: Assignment[Any],
    ) -> None:
        """
        Tie two rows that are there, or are pushed here: `link(PostTags, post, tag)`.

        `HasMany` and `HasOne` give the target the owner's key, so that it leaves the owner that it had; `BelongsTo`
        gives the owner the target's. `ManyToMany` pushes a row between the two; that there is one already is a
        `UniqueViolation`.

        Args:
            relationship: Of any kind but `Through`.
            owner, target: Wrappers, keys, or refs in this changeset.
            assignments: Further columns of the row that is written.

        Raises:
            QueryError: A row is not of its relation, or does not tell the value that ties it.
            NotStored: The repository does not store one of the relations.
        """
        link(self, relationship, owner, target, assignments)

    def unlink(
        self,
        relationship: Leads[Stores[R1], OwnerKeyT, OwnerWrapperT, ModelT, KeyT, WrapperT, R2],
        owner: OwnerWrapperT | OwnerKeyT | Ref[OwnerKeyT],
        /,
        *targets: WrapperT | KeyT | Ref[KeyT],
    ) -> None:
        """
        Undo what ties rows, in one operation: `unlink(PostTags, post, tag)`. Rows that are not tied stay as they are.

        The key that ties becomes NULL; along a `ManyToMany`, the rows between are deleted.

        Raises:
            QueryError: The key takes no NULL, a row is not of its relation, or none is given.
            NotStored: The repository does not store one of the relations.
        """
        unlink(self, relationship, owner, targets)

    def replace(
        self,
        relationship: Leads[Stores[R1], OwnerKeyT, OwnerWrapperT, ModelT, KeyT, WrapperT, R2],
        owner: OwnerWrapperT | OwnerKeyT | Ref[OwnerKeyT],
        rows: Iterable[NewRow[ModelT, WrapperT, R2]],
        /,
    ) -> None:
        """
        Make rows the only ones below an owner: `replace(PostComments, post, [kept, Comment("new")])`.

        Wrappers are rows that are there: they are updated where they differ from the store, and moved here where they
        had another owner. Models are new and inserted. All others of the owner are deleted; along a `ManyToMany` only
        the rows between are, and those need a unique constraint. It takes as many operations as there are of these
        kinds, whatever the number of rows.

        Args:
            relationship: A `HasMany`, `HasOne` or `ManyToMany`.
            owner: Its wrapper, its key, or its ref in this changeset.
            rows: Wrappers and models, or tuples of one and assignments.

        Raises:
            QueryError: As of `children` and `update`.
            NotStored: The repository does not store one of the relations.
        """
        replace(self, relationship, owner, rows)

    def then(self, *statements: FollowUp) -> None:
        """
        Run statements behind the rows, in the same transaction and in the order given: `RawSql` of one's own, or what
        only one gateway has, such as `notify("jobs", ref)` of PostgreSQL.

        Refs of this changeset may stand among their values. What they answer is dropped.

        Raises:
            QueryError: Something else is given, or a ref of another changeset. At commit, a gateway that cannot run it
                raises `Unsupported`, before anything is sent.
        """
        self._then.extend([checked(each, self._owner) for each in statements])

    def merge(self, other: "Changeset[R1]", /) -> Moved:
        """
        Add the writes of another changeset behind those here; it stays as it is.

        Returns:
            What gives for each ref of the other the one that it has here: `moved[ref]`.

        Raises:
            NotStored: This repository does not store a relation of the other.
            QueryError: It is no changeset, is this one, or has a ref in a subquery.
        """
        if not isinstance(other, Changeset) or other is self:
            raise QueryError(f"{other!r} cannot be merged into this changeset", hint="give another changeset")
        for each in other._writes:
            self._target(each.described.relation)
        return merged(self, other)

    def to_json(self) -> str:
        """
        Return the changeset as text, which `Repository.change_from_json` reads: it can be kept in a queue, and committed
        by another process. Values are in it as they are, those of sensitive columns too.

        Raises:
            QueryError: It has something that is neither a plain value nor a condition that compares columns with
                values: a subquery, a fragment, a statement behind the rows.
        """
        return to_json(self)

    def describe(self) -> str:
        """
        Return what a commit would do: each operation in its order, and the rows of it, a few at most.

        Values of sensitive columns are hidden. Large bulks are divided further by what the store takes at once.
        """
        return description(self._writes, self._numbers, self._then)

    async def commit(
        self,
        repository: Stores[R1],
        *,
        retries: int = 0,
        isolation: Isolation | None = None,
        once: str | None = None,
        once_ttl: timedelta | float = ONCE_TTL,
    ) -> Committed:
        """
        Write everything, in one transaction; on a transaction, as one unit of it.

        Args:
            repository: A repository that stores the relations, or a transaction of one.
            retries: How often the whole is tried again after an error that trying again can help, such as
                `SerializationFailure` and `Deadlock`; never after `CommitUnknown`. Not on a transaction, which is
                retried as a whole: `repository.run(work)`.
            isolation: The level of the transaction; the store's default without it. Not on a transaction.
            once: An id of this piece of work, under which it takes effect once: committed again, here or anywhere
                else, with the same content, it writes nothing and returns what the first commit gave. `retries` then
                cover `ConnectionLost` and `CommitUnknown` too. A commit that fails does not use up the id. Values that
                defaults make are not part of the content. The ids are kept in the table `mapper_commits`, which
                `push_schema` makes.
            once_ttl: How long the id is kept: seconds, or a `timedelta`.

        Returns:
            The keys of the rows that were pushed, and numbers of rows.

        Raises:
            NotStored, Unsupported, ValueNotStorable, QueryError: Before anything is sent.
            OnceConflict: The id was used for other work.
            StoreError: Nothing is written, unless it is `CommitUnknown`.
        """
        if self._run is not None:
            self._settle()
        if len(self._order) == 1 and isolation is None and once is None and not (retries or self._then):
            # The commonest: not even a coroutine stands between this and the executor, for each of them is felt.
            only, executor = self._kept[0], repository._executor
            gateway = executor.gateway
            if type(only) is PushedRows:
                if only.conflict is None and only.returned is None and not only.refs:
                    rows, inserting = insert_of(only, repository, gateway)
                    done = Committed(1, self._owner)
                    try:
                        result = await executor.execute(inserting)
                    except ConstraintViolation as error:
                        blame(error, only.shape, rows, only.positions, done)
                        raise
                    take_insert(only.shape, rows, result, gateway.codecs, done)
                    return done
            elif type(only) is UpdatedRows and not only.refs and not only.shape.differing:
                await executor.execute(update_of(only, repository, gateway))
                done = Committed(1, self._owner)
                done.updated = 1
                return done
        return await commit(
            self._kept,
            self._order,
            self._owner,
            repository,
            then=self._then,
            retries=retries,
            isolation=isolation,
            once=once,
            once_ttl=once_ttl,
        )

    @property
    def returned(self) -> tuple[Returned[Any], ...]:
        """
        The slots that `returning` gave, in that order: of a changeset that was read from a text, or built by another
        function, `result[changes.returned[0]]` is what came back.
        """
        return tuple(self._slots)

    def __len__(self) -> int:
        return len(self._numbers) + len(self._then)

    def __bool__(self) -> bool:
        return bool(self._numbers or self._then)

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
        if self._then:
            shown.append(f"{len(self._then)} further statement{'s' * (len(self._then) != 1)}")
        return f"<Changeset: {', '.join(shown) or 'empty'}>"

    # -- inside --------------------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Count the places of updates that have been added to a run since it was last done."""
        run = self._run
        if run is None:
            return
        write, order = run.write, self._order
        more, start = len(write.rows) - len(write.positions), len(order)
        if more:
            write.positions.extend(range(start, start + more))
            order.extend([write.number] * more)

    @property
    def _writes(self) -> list[Write]:
        """The writes, by their numbers."""
        self._settle()
        return self._kept

    @property
    def _numbers(self) -> list[int]:
        """For each row the number of its write."""
        self._settle()
        return self._order

    def _contents(self) -> list[tuple[object, ...]]:
        rows = sorted([each for write in self._writes for each in write.contents()], key=lambda each: each[0])  # type: ignore[arg-type,return-value]  # the position
        return rows + [content_of(each) for each in self._then]

    def _target(self, relation: Any) -> RelationInfo:
        described = info(relation)
        if described.alias is not None or described.common:
            kind = "an alias" if described.alias is not None else "a common table"
            raise QueryError(f"{relation.__name__} is {kind} and cannot be written", hint="write to a relation itself")
        if self._repository is not None and relation not in self._repository._relations:
            self._repository._require(frozenset({relation}))
        return described

    def _reader(self, relation: Any) -> RowReader:
        """Return what reads new rows of a relation that the repository stores."""
        if len(_readers) >= LIMIT:
            _readers.clear()
        found = _readers[self._repository, relation] = reader_of(self._target(relation))
        return found

    def _updater(self, relation: Any) -> RowUpdater:
        """Return what reads updates of rows of a relation that the repository stores."""
        if len(_updaters) >= LIMIT:
            _updaters.clear()
        found = _updaters[self._repository, relation] = updater_of(self._target(relation))
        return found

    def _place(self, write: PushedRows | UpdatedRows | DeletedRows) -> int:
        """Return the position of a further row of a write."""
        if self._run is not None:
            self._settle()
        position = len(self._order)
        self._order.append(write.number)
        write.positions.append(position)
        return position

    def _push(
        self, shape: RowShape, values: Values, conflict: ConflictRule | None, slot: Returned[Any] | None = None
    ) -> None:
        """Add a row by its values."""
        write = self._pushed_rows(shape, conflict, slot)
        write.refs.extend([(len(write.rows), each) for each in refs_in(values)])
        self._place(write)
        write.rows.append(values)

    def _delete_row(self, described: RelationInfo, told: bool, key: Values) -> None:
        """Add a delete of a row by its key, and its version where that is told."""
        write: DeletedRows = self._opened(described, "delete rows", told) or self._begun(
            described, told, DeletedRows(described, told, len(self._kept))
        )
        write.refs.extend([(len(write.rows), each) for each in refs_in(key)])
        self._place(write)
        write.rows.append(key)

    def _revise(self, shape: RowUpdate, values: Values, *, behind: bool = False) -> None:
        """Add an update of a row by its shape and values."""
        write = self._updated_rows(shape.described, shape, behind)
        write.refs.extend([(len(write.rows), each) for each in refs_in(values)])
        self._place(write)
        write.rows.append(values)

    def _opening(self, relation: Any) -> _Open | None:
        """Return the writes of a relation that can take further rows; None where there are none."""
        found = self._open.get(relation)
        if found is None or isinstance(found, _Open):
            return found
        if isinstance(found, PushedRows):
            key = (found.shape, found.conflict, found.returned)
            made = _Open("insert", {key: found}, None, found.conflict is not None)
        else:
            made = _Open("update rows", {found.shape.key: found})
        self._open[relation] = made
        return made

    def _opened(self, described: RelationInfo, kind: str, key: Hashable) -> Any:
        """Return the write of this kind and key that can take further rows; None where there is none."""
        opened = self._opening(described.relation)
        if opened is not None:
            found = opened.writes.get(key) if opened.kind == kind else None
            if found is not None:
                return found
            if opened.kind != kind or opened.behind:
                self._close(described.relation)
                opened = None
        if opened is None:
            self._open[described.relation] = _Open(kind, {})
        return None

    def _begun(self, described: RelationInfo, key: Hashable, write: Any) -> Any:
        opened = self._opening(described.relation)
        assert opened is not None
        self._kept.append(write)
        opened.writes[key] = write
        return write

    def _close(self, relation: Any) -> None:
        """Let no more rows be added to the writes of a relation: something else comes between."""
        self._settle()
        self._run = None
        opened = self._opening(relation)
        if opened is not None:
            del self._open[relation]
            for each in (*opened.writes.values(), *(opened.behind or {}).values()):
                each.closed = True

    def _slot(self, described: RelationInfo, items: Sequence[Any]) -> Returned[Any]:
        """Return a slot for what is selected of rows that are written."""
        slot = returned(described, items, len(self._slots), self._owner)
        self._slots.append(slot)
        return slot

    def _pushed_rows(
        self, shape: RowShape, conflict: ConflictRule | None, slot: Returned[Any] | None = None
    ) -> PushedRows:
        relation = shape.described.relation
        if relation not in self._open:
            self._open[relation] = alone = PushedRows(shape, conflict, len(self._kept), returned=slot)
            self._kept.append(alone)
            return alone
        key = (shape, conflict, slot)
        known: PushedRows | None = self._opened(shape.described, "insert", key)
        if known is not None:
            return known
        write: PushedRows = self._begun(
            shape.described, key, PushedRows(shape, conflict, len(self._kept), returned=slot)
        )
        opened = self._opening(relation)
        if opened is not None and conflict is not None:
            opened.conflicts = True
        return write

    def _updated_rows(self, described: RelationInfo, shape: RowUpdate, behind: bool) -> UpdatedRows:
        if behind:
            opened = self._opening(described.relation)
            if opened is not None and opened.kind == "insert" and not opened.conflicts:
                return self._updated_behind(opened, shape)
        if described.relation not in self._open:
            self._open[described.relation] = write = UpdatedRows(shape, len(self._kept))
            self._kept.append(write)
        else:
            known: UpdatedRows | None = self._opened(described, "update rows", shape.key)
            if known is not None:
                return known
            write = self._begun(described, shape.key, UpdatedRows(shape, len(self._kept)))
        for each in shape.reads:
            self._close(each)
        return write

    def _updated_behind(self, opened: "_Open", shape: RowUpdate) -> UpdatedRows:
        """Return the write of updates of new rows beside which further rows like the ones before can be pushed."""
        behind = opened.behind
        if behind is None:
            behind = opened.behind = {}
        write = behind.get(shape.key)
        if write is None:
            write = behind[shape.key] = UpdatedRows(shape, len(self._kept), behind=True)
            self._kept.append(write)
        return write

    def _known_key(self, ref: Ref[Any]) -> Any:
        """Return the key of a row that is pushed here, where its values are given; the ref itself where they are not."""
        if ref.owner is not self._owner or isinstance(ref, KeyPart):
            raise QueryError(f"{ref!r} is of another changeset", hint="give the key that it has: result[ref]")
        found = self._pushed(ref)
        if found is None:
            return ref
        keys = info(ref.relation).primary_key
        if not keys or not all([each.attribute in found for each in keys]):
            return ref
        values = [found[each.attribute] for each in keys]
        if len(values) > 1:
            return tuple(values)
        return ref if isinstance(values[0], Ref) else values[0]

    def _pushed(self, ref: Ref[Any]) -> dict[str, Any] | None:
        """Return what the row of a ref gives for which column; None where a conflict may make it another row."""
        write = self._writes[self._numbers[ref.position]]
        if not isinstance(write, PushedRows) or write.conflict is not None:
            return None
        row = write.rows[bisect_left(write.positions, ref.position)]
        return {column.attribute: value for column, value in zip(write.shape.given, row, strict=True)}

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
        self._kept.append(write)
        self._order.append(write.number)
