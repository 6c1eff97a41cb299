"""
From a changeset's writes to the stages of a commit: defaults are filled in, and what goes together is put together.

Writes go in; stages come out, in the order in which they go to the store.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, Final, TypeAlias

from attrs import field, frozen

from mapper.checking import unique_sets
from mapper.deferred import Ref
from mapper.errors import QueryError
from mapper.expressions import Expr
from mapper.insertion import InsertStage
from mapper.layouts import Values
from mapper.planner import Kind, Step, Tokens, plan
from mapper.relation import RelationInfo, info
from mapper.stages import DeleteStage, DeletionStage, Stage, UpdateStage, UpdatingStage
from mapper.writes import DeletedRows, Deletion, PushedRows, Update, UpdatedRows, Write, reads_of

__all__ = ["staged"]

Touch: TypeAlias = Callable[[int], Tokens]

NOTHING: Final[Tokens] = ((), ())


def staged(writes: Sequence[Write], numbers: Sequence[int]) -> list[Stage]:
    """
    Return the stages of a commit.

    Args:
        writes: In the order given.
        numbers: For each row of the changeset the number of its write.

    Raises:
        QueryError: An update or delete says neither which rows nor that it means all.
    """
    if len(writes) == 1 and not _names_keys(writes[0]):
        return [_alone(writes[0])]
    links = _Links(writes)
    merging = {each.described.relation for each in writes if isinstance(each, PushedRows) and each.conflict is not None}
    ready = [_ready(each, each.described.relation in merging, links) for each in writes]
    places = _Places(writes, numbers)
    steps = plan([_Planned(each, places) for each in ready], _parents)
    return [_stage(_rows_of(step, ready)) for step in steps]


def _alone(write: Write) -> Stage:
    """Return the stage of the only write: nothing is to be ordered."""
    match write:
        case PushedRows(shape=shape):
            return InsertStage(shape, write.conflict, shape.complete(write.rows), write.positions, False)
        case UpdatedRows() | DeletedRows():
            return _stage(_Rows(write, write.rows, write.positions))
        case Update() | Deletion():
            return _stage(_Rows(write, (), ()))


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
            reads = reads_of([expression for _, expression in shape.assignments])
            return _Ready(write, write if reads else shape.key, write.positions, write.rows, reads, _row_tokens(write))
        case DeletedRows():
            return _Ready(write, write.kind, write.positions, write.rows)
        case Update():
            values: list[Expr[Any, Any]] = [expression for _, expression in write.assignments]
            return _Ready(write, write, (write.position,), (), reads_of([*values, *write.conditions]))
        case Deletion():
            return _Ready(write, write, (write.position,), (), reads_of(write.conditions))


def _ready_insert(write: PushedRows, merging: bool, links: "_Links") -> _Ready:
    shape, rule = write.shape, write.conflict
    rows = shape.complete(write.rows)
    linked = write.described.relation in links.circular and links.explicit
    return _Ready(
        write=write,
        shape=(shape.names, rule),
        positions=write.positions,
        rows=rows,
        reads=frozenset() if rule is None else rule.reads(),
        touch=_insert_tokens(write, rows, links if linked else None) if merging or linked else None,
        linked=linked,
    )


# -- what rows touch ---------------------------------------------------------------------------------------------------


def _row_tokens(write: UpdatedRows) -> Touch:
    """Updates of one row keep their order; those that make room for others, or read them, keep it with all such."""
    relation, width = write.described.relation, len(write.described.primary_key)
    further = (("updates", relation),) if write.shape.ordered else ()
    rows = write.rows
    return lambda row: ((_token(relation, "key", rows[row][1][:width]), *further), ())


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
    token = (relation, names, *[id(each) if isinstance(each, Ref) else each for each in values])
    try:
        hash(token)
    except TypeError:
        return (relation, names)
    return token


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
        case UpdatedRows(refs=refs):
            yield from refs
        case Update() | Deletion():
            yield from [(0, ref) for ref in write.named()]
        case DeletedRows():
            pass


def _names_keys(write: Write) -> bool:
    return isinstance(write, PushedRows | UpdatedRows) and bool(write.refs)


@frozen(eq=False)
class _Rows:
    """Rows that go together, in the order given, with the first of the writes that they come from."""

    write: Write
    rows: Sequence[Any]
    positions: Sequence[int]
    refs: bool = field(default=False)


def _whole(ready: _Ready) -> _Rows:
    return _Rows(ready.write, ready.rows, ready.positions, _names_keys(ready.write))


def _rows_of(step: Step, ready: Sequence[_Ready]) -> _Rows:
    if len(step.parts) == 1 and step.parts[0].rows is None:
        return _whole(ready[step.parts[0].write])
    found: list[tuple[int, Any]] = []
    for part in step.parts:
        each = ready[part.write]
        taken = range(len(each.rows)) if part.rows is None else part.rows
        found.extend([(each.positions[row], each.rows[row]) for row in taken])
    found.sort(key=_position)
    writes = [ready[part.write].write for part in step.parts]
    refs = any([_names_keys(each) for each in writes])
    return _Rows(writes[0], [row for _, row in found], [position for position, _ in found], refs)


def _position(row: tuple[int, Any]) -> int:
    return row[0]


def _stage(rows: _Rows) -> Stage:
    match rows.write:
        case PushedRows(shape=shape, conflict=rule):
            return InsertStage(shape, rule, rows.rows, rows.positions, rows.refs)
        case UpdatedRows(shape=update):
            return UpdateStage(update, rows.rows, rows.refs)
        case DeletedRows(described=described):
            return DeleteStage(described, rows.rows)
        case Update():
            _require_rows(rows.write)
            return UpdatingStage(rows.write)
        case Deletion():
            _require_rows(rows.write)
            return DeletionStage(rows.write)


def _require_rows(write: Update | Deletion) -> None:
    """Refuse what would write every row by mistake."""
    name = write.described.relation.__name__
    if isinstance(write, Update) and not write.assignments:
        raise QueryError(f"an update of {name} assigns nothing", hint=f"say what: updates({name}).set(…)")
    if not write.conditions and not write.everywhere:
        verb = "an update" if isinstance(write, Update) else "a delete"
        raise QueryError(
            f"{verb} of {name} says neither which rows nor that it means all",
            hint="add where(…), or everywhere() for all rows",
        )
