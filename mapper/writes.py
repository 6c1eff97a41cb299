"""
What a changeset holds: writes as plain data, in the order given.

Rows and conditions go in as the user gave them; nothing here has seen a store. Rows of one shape are kept together
until something else is written to their relation.
"""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from attrs import define, field, frozen

from mapper.assembly import counter, walk
from mapper.columns import ColumnInfo
from mapper.deferred import KeyPart, Ref
from mapper.expressions import Expr, Subquery
from mapper.layouts import RowShape, Values
from mapper.planner import Kind
from mapper.relation import RelationInfo
from mapper.statements import FromSelect

if TYPE_CHECKING:
    from mapper.returned import Returned
    from mapper.sources import Derived
    from mapper.stages import UpdateForm

__all__ = [
    "ConflictRule",
    "DeletedRows",
    "Deletion",
    "PushedRows",
    "RowUpdate",
    "Update",
    "UpdatedRows",
    "Write",
    "reads_of",
    "refs_in",
    "source_reads",
]

Assigned: TypeAlias = tuple[ColumnInfo, Expr[Any, Any]]


@frozen(eq=False)
class ConflictRule:
    """
    What pushed rows do with a row that is there already.

    Attributes:
        described: The relation.
        columns: The key or unique constraint; () is any.
        assignments: What the stored row is given; () leaves it as it is.
        where: The stored row is left as it is where this does not hold.
        refs: Refs among the values.
    """

    described: RelationInfo
    columns: tuple[ColumnInfo, ...]
    assignments: tuple[Assigned, ...]
    where: Expr[bool, Any] | None
    refs: tuple[Ref[Any], ...]

    def expressions(self) -> list[Expr[Any, Any]]:
        """Return everything that is evaluated."""
        return [each for _, each in self.assignments] + ([self.where] if self.where is not None else [])

    def reads(self) -> frozenset[Any]:
        """Return the relations that subqueries read."""
        return reads_of(self.expressions())

    def content(self) -> tuple[object, ...]:
        """Return what makes two rules equal."""
        expressions = self.expressions()
        names = tuple([each.attribute for each in self.columns])
        assigned = tuple([column.attribute for column, _ in self.assignments])
        return names, assigned, self.where is not None, *_content_of(expressions)

    def content_key(self) -> tuple[Hashable, ...] | None:
        """Return what rules share that do the same to the same rows; None where that cannot be told by hashing."""
        content = self.content()
        kinds = tuple([type(each) for _, expression in self.assignments for each in expression.parameters])
        try:
            hash(content)
        except TypeError:
            return None
        return (*content, kinds)


@define(eq=False)
class PushedRows:
    """
    New rows of one relation and shape, with one rule for conflicts.

    Attributes:
        positions: The place of each row among all rows of the changeset.
        refs: Pairs of a row and a `Ref` among its values.
        returned: What of the rows comes back beside their keys, if anything.
        closed: Whether something was written to the relation since, so that no row is added any more.
    """

    shape: RowShape
    conflict: ConflictRule | None
    number: int
    positions: list[int] = field(factory=list)
    rows: list[Values] = field(factory=list)
    refs: list[tuple[int, Ref[Any]]] = field(factory=list)
    returned: "Returned[Any] | None" = None
    closed: bool = False

    kind: ClassVar[Kind] = "insert"

    @property
    def described(self) -> RelationInfo:
        """The relation."""
        return self.shape.described

    def contents(self) -> Iterator[tuple[object, ...]]:
        """Give for each row its position and what makes it equal to another."""
        given = tuple([each.attribute for each in self.shape.given])
        rule = self.conflict.content() if self.conflict is not None else None
        for position, row in zip(self.positions, self.rows, strict=True):
            yield position, "insert", self.described.token, given, rule, _plain(row)
            if self.returned is not None:
                yield self.returned.content(position)


@frozen(eq=False)
class RowUpdate:
    """
    The shape of updates of single rows.

    Attributes:
        assignments: Pairs of column and expression; the values in them are only examples.
        key: The shape as text.
        told: Whether the rows tell the version that they had, which is compared.
        ordered: Whether its rows keep their order with those of other shapes: it touches what is unique, or reads rows.
        differing: Whether rows are updated only where they differ from the store, which are looked up before.
        free: Whether other new rows of the relation can come before it or behind it alike: it touches nothing unique.
        width: How many values the assignments have.
        reads: Relations that its subqueries read.
        form: What is made of it for the store, once.
    """

    described: RelationInfo
    assignments: tuple[Assigned, ...]
    key: str
    told: bool
    ordered: bool
    free: bool
    differing: bool = False
    width: int = field(init=False, repr=False)
    reads: frozenset[Any] = field(init=False, repr=False)
    form: "UpdateForm | None" = field(default=None, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        expressions = [expression for _, expression in self.assignments]
        object.__setattr__(self, "width", sum([len(each.parameters) for each in expressions]))
        object.__setattr__(self, "reads", reads_of(expressions))


@define(eq=False)
class UpdatedRows:
    """
    Updates of single rows by key, of one shape.

    Attributes:
        rows: For each row the values of the assignments, then the key's, then the version's where the shape says so.
        behind: Whether new rows pushed later may come before it, because it is of new rows alone.
    """

    shape: RowUpdate
    number: int
    behind: bool = False
    positions: list[int] = field(factory=list)
    rows: list[Values] = field(factory=list)
    refs: list[tuple[int, Ref[Any]]] = field(factory=list)
    closed: bool = False

    kind: ClassVar[Kind] = "update rows"

    @property
    def described(self) -> RelationInfo:
        """The relation."""
        return self.shape.described

    def contents(self) -> Iterator[tuple[object, ...]]:
        """As of `PushedRows`."""
        for position, row in zip(self.positions, self.rows, strict=True):
            yield position, "update row", self.described.token, self.shape.key, _plain(row)


@define(eq=False)
class DeletedRows:
    """Deletes of single rows by key; `rows` has the key's values followed by the version's where they are `told`."""

    described: RelationInfo
    told: bool
    number: int
    positions: list[int] = field(factory=list)
    rows: list[Values] = field(factory=list)
    refs: list[tuple[int, Ref[Any]]] = field(factory=list)
    closed: bool = False

    kind: ClassVar[Kind] = "delete rows"

    def contents(self) -> Iterator[tuple[object, ...]]:
        """As of `PushedRows`."""
        for position, row in zip(self.positions, self.rows, strict=True):
            yield position, "delete row", self.described.token, _plain(row)


@define(eq=False)
class Update:
    """
    One update of all rows that fulfil the conditions; of every row only where `everywhere` says so.

    Attributes:
        source: Other rows from which it takes values; None where there are none.
        on: What ties a row of the source to one that is updated.
    """

    described: RelationInfo
    number: int
    position: int
    assignments: list[Assigned] = field(factory=list)
    conditions: list[Expr[bool, Any]] = field(factory=list)
    everywhere: bool = False
    returned: "Returned[Any] | None" = None
    source: "Derived[Any] | None" = None
    on: Expr[bool, Any] | None = None

    kind: ClassVar[Kind] = "update"

    @property
    def where(self) -> tuple[Expr[bool, Any], ...]:
        """All conditions, that on a row of the source among them."""
        return tuple(self.conditions) if self.on is None else (self.on, *self.conditions)

    def expressions(self) -> list[Expr[Any, Any]]:
        """Return everything that is evaluated, assignments first."""
        return [*[expression for _, expression in self.assignments], *self.where]

    def reads(self) -> frozenset[Any]:
        """Return the relations that it reads, in subqueries and in its source."""
        found = reads_of(self.expressions())
        return found if self.source is None else found | source_reads(self.source)

    def named(self) -> Iterator[Ref[Any]]:
        """Give the refs among its values."""
        for each in self.expressions():
            yield from refs_in(each.parameters)

    def contents(self) -> Iterator[tuple[object, ...]]:
        """As of `PushedRows`."""
        columns = tuple([column.attribute for column, _ in self.assignments])
        expressions = [*[each for _, each in self.assignments], *self.conditions]
        yield self.position, "update", self.described.token, columns, self.everywhere, *_content_of(expressions)
        if self.source is not None and self.on is not None:
            keys, values = (self.source.key, self.on.key), (*self.source.parameters, *self.on.parameters)
            yield self.position, "from", self.described.token, keys, _plain(values)
        if self.returned is not None:
            yield self.returned.content(self.position)


@define(eq=False)
class Deletion:
    """One delete of all rows that fulfil the conditions; of every row only where `everywhere` says so."""

    described: RelationInfo
    number: int
    position: int
    conditions: list[Expr[bool, Any]] = field(factory=list)
    everywhere: bool = False
    returned: "Returned[Any] | None" = None

    kind: ClassVar[Kind] = "delete"

    def named(self) -> Iterator[Ref[Any]]:
        """Give the refs among its values."""
        for each in self.conditions:
            yield from refs_in(each.parameters)

    def contents(self) -> Iterator[tuple[object, ...]]:
        """As of `PushedRows`."""
        yield self.position, "delete", self.described.token, self.everywhere, *_content_of(self.conditions)
        if self.returned is not None:
            yield self.returned.content(self.position)


Write: TypeAlias = PushedRows | UpdatedRows | DeletedRows | Update | Deletion


def refs_in(values: Iterable[object]) -> Iterator[Ref[Any]]:
    """Give the refs among values."""
    for each in values:
        if isinstance(each, Ref):
            yield each


def reads_of(expressions: Iterable[Expr[Any, Any]]) -> frozenset[Any]:
    """Return the relations that the subqueries of expressions read."""
    found: set[Any] = set()
    for expression in expressions:
        for each in walk(expression):
            if isinstance(each, Subquery):
                found |= each.query.assemble().reads
    return frozenset(found)


def source_reads(source: "Derived[Any]") -> frozenset[Any]:
    """Return the relations that the rows of a source are read from."""
    found = source.assembled(counter())
    return found.select.reads if isinstance(found, FromSelect) else frozenset()


def _content_of(expressions: Sequence[Expr[Any, Any]]) -> tuple[object, object]:
    keys = tuple([each.key for each in expressions])
    return keys, _plain([value for each in expressions for value in each.parameters])


def _plain(values: Iterable[Any]) -> tuple[Any, ...]:
    """Return values that can be compared with those of another changeset: a ref is the position that it stands for."""
    return tuple([_position(each) if isinstance(each, Ref) else each for each in values])


def _position(ref: Ref[Any]) -> tuple[Any, ...]:
    return ("ref", ref.position, ref.part) if isinstance(ref, KeyPart) else ("ref", ref.position)
