"""
From a changeset's writes to the stages of a commit: defaults are filled in, and what goes together is put together.

Writes go in; stages come out, in the order in which they go to the store.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, Final, TypeAlias

from attrs import frozen

from mapper.checking import unique_sets
from mapper.deferred import KeyPart, Ref
from mapper.differing import DifferingStage
from mapper.errors import QueryError
from mapper.insertion import InsertStage
from mapper.layouts import Values
from mapper.planner import Kind, Step, Tokens, plan
from mapper.relation import RelationInfo, info
from mapper.stages import DeleteStage, DeletionStage, Stage, UpdateStage, UpdatingStage
from mapper.updatesources import UpdateFromStage
from mapper.writes import DeletedRows, Deletion, PushedRows, Update, UpdatedRows, Write, reads_of

__all__ = ["Planned", "planned", "staged"]

Planned: TypeAlias = Any
"""A row of a write as it was given; None for an update or delete by conditions."""

Touch: TypeAlias = Callable[[int], Tokens]

NOTHING: Final[Tokens] = ((), ())

# Made once: a union of classes in a call of `isinstance` costs more than all else there.
_OF_ROWS: Final = (PushedRows, UpdatedRows, DeletedRows)


def staged(writes: Sequence[Write], numbers: Sequence[int]) -> list[Stage]:
    """
    Return the stages of a commit.

    Args:
        writes: In the order given.
        numbers: For each row of the changeset the number of its write.

    Raises:
        QueryError: An update or delete says neither which rows nor that it means all.
    """
    only = writes[0]
    if len(writes) == 1 and not (isinstance(only, _OF_ROWS) and only.refs):
        return [_alone(only)]
    links = _Links(writes)
    merging = {each.described.relation for each in writes if isinstance(each, PushedRows) and each.conflict is not None}
    ready = [_ready(each, each.described.relation in merging, links) for each in writes]
    places = _Places(writes, numbers)
    steps = plan([_Planned(each, places) for each in ready], _parents)
    return [_stage_of(step, ready) for step in steps]


def planned(writes: Sequence[Write], numbers: Sequence[int]) -> list[tuple[Write, list[Planned]]]:
    """Return what would go to the store together, in that order: a write of that kind, and rows as they were given."""
    links = _Links(writes)
    merging = {each.described.relation for each in writes if isinstance(each, PushedRows) and each.conflict is not None}
    ready = [_ready(each, each.described.relation in merging, links) for each in writes]
    found: list[tuple[Write, list[Planned]]] = []
    for step in plan([_Planned(each, _Places(writes, numbers)) for each in ready], _parents):
        rows: list[tuple[int, Any]] = []
        for part in step.parts:
            write = ready[part.write].write
            if isinstance(write, Update | Deletion):
                rows.append((write.position, None))
                continue
            taken = range(len(write.rows)) if part.rows is None else part.rows
            rows.extend([(write.positions[row], write.rows[row]) for row in taken])
        rows.sort(key=_position)
        found.append((ready[step.parts[0].write].write, [row for _, row in rows]))
    return found


def _alone(write: Write) -> Stage:
    """Return the stage of the only write: nothing is to be ordered."""
    if isinstance(write, PushedRows):
        shape, rows = write.shape, write.rows
        completed = shape.complete(rows) if shape.defaults else rows
        return InsertStage(shape, write.conflict, completed, write.positions, False, write.returned)
    return _stage(write, write.rows if isinstance(write, _OF_ROWS) else (), (), refs=False)


@frozen(eq=False)
class _Ready:
    """
    A write whose rows are complete, with what the planner asks of it.

    Attributes:
        rows: Completed rows of an insert, rows of others as they are; () of an update or delete by conditions.
    """

    write: Write
    shape: Hashable
    positions: Sequence[int]
    rows: Sequence[Any]
    reads: frozenset[Any] = frozenset()
    touch: Touch | None = None
    linked: bool = False


def _ready(write: Write, merging: bool, links: "_Links") -> _Ready:
    match write:
        case PushedRows():
            return _ready_insert(write, merging, links)
        case UpdatedRows(shape=shape):
            key = write if shape.reads else shape.key
            return _Ready(write, key, write.positions, write.rows, shape.reads, _row_tokens(write))
        case DeletedRows():
            return _Ready(write, (write.kind, write.told), write.positions, write.rows)
        case Update():
            return _Ready(write, write, (write.position,), (), write.reads())
        case Deletion():
            return _Ready(write, write, (write.position,), (), reads_of(write.conditions))


def _ready_insert(write: PushedRows, merging: bool, links: "_Links") -> _Ready:
    shape, rule = write.shape, write.conflict
    rows = shape.complete(write.rows)
    linked = write.described.relation in links.circular and links.explicit
    return _Ready(
        write=write,
        shape=(shape.names, rule, write.returned),
        positions=write.positions,
        rows=rows,
        reads=frozenset() if rule is None else rule.reads(),
        touch=_insert_tokens(write, rows, links if linked else None) if merging or linked else None,
        linked=linked,
    )


# -- what rows touch ---------------------------------------------------------------------------------------------------


def _row_tokens(write: UpdatedRows) -> Touch:
    """Updates of one row keep their order; those that make room for others, or read them, keep it with all such."""
    relation, width = write.described.relation, write.shape.width
    further = (("updates", relation),) if write.shape.ordered else ()
    rows, key = write.rows, slice(width, width + len(write.described.primary_key))
    return lambda row: ((_token(relation, "key", rows[row][key]), *further), ())


def _insert_tokens(write: PushedRows, rows: Sequence[Values], links: "_Links | None") -> Touch:
    """Rows that could conflict with each other keep their order, and so do rows that name each other by value."""
    described = write.described
    places = {name: index for index, name in enumerate(write.shape.names)}
    unknown: list[Hashable] = []
    known: list[tuple[tuple[str, ...], tuple[int, ...]]] = []
    for names in unique_sets(described):
        if all(name in places for name in names):
            known.append((names, tuple([places[name] for name in names])))
        elif _may_be_equal(described, [name for name in names if name not in places]):
            unknown.append((described.relation, names))
    named = links.named(described, places) if links is not None else []

    def touch(row: int) -> Tokens:
        values = rows[row]
        written = [_token(described.relation, names, [values[each] for each in indexes]) for names, indexes in known]
        read = [_token(relation, names, [values[index]]) for relation, names, index in named]
        return [*unknown, *[each for each in written if each is not None]], [each for each in read if each is not None]

    return touch


def _may_be_equal(described: RelationInfo, missing: Iterable[str]) -> bool:
    """Whether the store may give two rows the same values of these columns: not a key that it makes up, nor NULL."""
    columns = [described.column(each) for each in missing]
    return not any(each.autoincrement or (each.nullable and each.options.server_default is None) for each in columns)


def _token(relation: Any, names: Hashable, values: Sequence[Any]) -> Hashable:
    """Return what stands for the values of some columns; None where one is NULL, which is equal to nothing."""
    if any(each is None for each in values):
        return None
    token = (relation, names, *[_named(each) if isinstance(each, Ref) else each for each in values])
    try:
        hash(token)
    except TypeError:
        return (relation, names)
    return token


def _named(ref: Ref[Any]) -> Hashable:
    return Ref, ref.position, ref.part if isinstance(ref, KeyPart) else 0


class _Links:
    """References between relations that refer to each other in a circle, or to themselves."""

    def __init__(self, writes: Sequence[Write]) -> None:
        relations = {each.described.relation for each in writes}
        self.circular = {each for each in relations if each in _ancestors(each)}
        self.explicit = any(
            each.shape.key_indexes
            for each in writes
            if isinstance(each, PushedRows) and each.described.relation in self.circular
        )

    def named(self, described: RelationInfo, places: dict[str, int]) -> list[tuple[Any, tuple[str, ...], int]]:
        """Return the references among the columns of rows: relation and column referred to, and place of the value."""
        found: list[tuple[Any, tuple[str, ...], int]] = []
        for column in described.columns:
            target = column.referenced() if column.attribute in places else None
            if target is not None:
                relation = info(target.relation).original
                found.append((relation, (target.column.attribute,), places[column.attribute]))
        return found


def _parents(relation: Any) -> frozenset[Any]:
    """Return the relations that a relation refers to."""
    targets = [each.referenced() for each in info(relation).columns if each.options.references is not None]
    return frozenset([info(each.relation).original for each in targets if each is not None])


def _ancestors(relation: Any) -> set[Any]:
    found: set[Any] = set()
    following = list(_parents(relation))
    while following:
        each = following.pop()
        if each not in found:
            found.add(each)
            following.extend(_parents(each))
    return found


# -- planning ----------------------------------------------------------------------------------------------------------


class _Places:
    """Where the row that a ref stands for is: its write and its place there."""

    def __init__(self, writes: Sequence[Write], numbers: Sequence[int]) -> None:
        self._writes = writes
        self._numbers = numbers
        self._rows: dict[int, dict[int, int]] = {}

    def of(self, ref: Ref[Any]) -> tuple[int, int]:
        """Return the number of the write and the row."""
        number = self._numbers[ref.position]
        rows = self._rows.get(number)
        if rows is None:
            write = self._writes[number]
            positions = write.positions if isinstance(write, PushedRows) else ()
            rows = self._rows[number] = {position: row for row, position in enumerate(positions)}
        return number, rows[ref.position]


class _Planned:
    """A write as the planner sees it."""

    def __init__(self, ready: _Ready, places: _Places) -> None:
        write = ready.write
        self.relation: Any = write.described.relation
        self.kind: Kind = write.kind
        self.shape = ready.shape
        self.positions = ready.positions
        self.reads = ready.reads
        self.tracked = ready.touch is not None
        self.linked = ready.linked
        self._touch = ready.touch
        self._write = write
        self._places = places

    def needs(self) -> Iterator[tuple[int, int, int]]:
        """As of `planner.Write`."""
        for row, ref in _refs_of(self._write):
            yield row, *self._places.of(ref)

    def tokens(self, row: int) -> Tokens:
        """As of `planner.Write`."""
        return NOTHING if self._touch is None else self._touch(row)


def _refs_of(write: Write) -> Iterator[tuple[int, Ref[Any]]]:
    match write:
        case PushedRows(refs=refs, conflict=rule):
            yield from refs
            for ref in rule.refs if rule is not None else ():
                yield from [(row, ref) for row in range(len(write.rows))]
        case UpdatedRows(refs=refs) | DeletedRows(refs=refs):
            yield from refs
        case Update() | Deletion():
            yield from [(0, ref) for ref in write.named()]


def _names_keys(write: Write) -> bool:
    return isinstance(write, _OF_ROWS) and bool(write.refs)


def _stage_of(step: Step, ready: Sequence[_Ready]) -> Stage:
    if len(step.parts) == 1 and step.parts[0].rows is None:
        only = ready[step.parts[0].write]
        return _stage(only.write, only.rows, only.positions, refs=_names_keys(only.write))
    found: list[tuple[int, Any]] = []
    for part in step.parts:
        each = ready[part.write]
        taken = range(len(each.rows)) if part.rows is None else part.rows
        found.extend([(each.positions[row], each.rows[row]) for row in taken])
    found.sort(key=_position)
    writes = [ready[part.write].write for part in step.parts]
    refs = any([_names_keys(each) for each in writes])
    return _stage(writes[0], [row for _, row in found], [position for position, _ in found], refs=refs)


def _position(row: tuple[int, Any]) -> int:
    return row[0]


def _stage(write: Write, rows: Sequence[Any], positions: Sequence[int], *, refs: bool) -> Stage:
    """Return the stage of rows that go together, in the order given. `write` is the first that they come from."""
    match write:
        case PushedRows(shape=shape, conflict=rule, returned=slot):
            return InsertStage(shape, rule, rows, positions, refs, slot)
        case UpdatedRows(shape=update):
            return DifferingStage(update, rows) if update.differing else UpdateStage(update, rows, refs)
        case DeletedRows(described=described, told=told):
            return DeleteStage(described, rows, told, refs)
        case Update():
            _require_rows(write)
            return UpdatingStage(write) if write.source is None else UpdateFromStage(write)
        case Deletion():
            _require_rows(write)
            return DeletionStage(write)


def _require_rows(write: Update | Deletion) -> None:
    """Refuse what would write every row by mistake."""
    name = write.described.relation.__name__
    if isinstance(write, Update) and not write.assignments:
        raise QueryError(f"an update of {name} assigns nothing", hint=f"say what: updates({name}).set(…)")
    if not (write.where if isinstance(write, Update) else write.conditions) and not write.everywhere:
        verb = "an update" if isinstance(write, Update) else "a delete"
        raise QueryError(
            f"{verb} of {name} says neither which rows nor that it means all",
            hint="add where(…), or everywhere() for all rows",
        )
