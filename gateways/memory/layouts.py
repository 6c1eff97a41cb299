"""
Layouts: what a table keeps to, made of what its relation declares.

A relation goes in; positions, constraints and the functions that fill columns come out. What the memory gateway would
not keep is refused here, before I/O.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, TypeAlias

from attrs import frozen

from gateways.memory.access import indexed_positions
from gateways.memory.casts import assigned, cast
from gateways.memory.closed import Closed
from gateways.memory.computing import Run
from gateways.memory.conditions import parse_sql
from gateways.sql.keeping import require_kept
from gateways.sql.naming import fingerprint, named
from gateways.sql.shapes import shape
from mapper.columns import Check, ColumnInfo, Index, IndexTerm
from mapper.errors import DeclarationError, StatementError, Unsupported
from mapper.expressions import Attribute, Expr, Order
from mapper.relation import RelationInfo, info
from mapper.types import Codecs

__all__ = ["Adapter", "Checking", "Layout", "Reference", "Uniqueness", "adapter_of", "layout_of"]

Row: TypeAlias = tuple[Any, ...]
Fill: TypeAlias = Callable[[Run], Any]


@frozen(eq=False)
class Uniqueness:
    """
    A key or unique constraint.

    Attributes:
        positions: Of its columns.
        columns: Their attribute names.
        name: The constraint's; None for the primary key.
        where: Rows for which this is not true may be equal; None where it holds for all.
        terms: Its expressions, where it is not over columns alone; `positions` and `columns` are () then.
    """

    positions: tuple[int, ...]
    columns: tuple[str, ...]
    name: str | None
    where: Closed | None = None
    terms: tuple[Closed, ...] = ()


@frozen(eq=False)
class Reference:
    """
    A reference to a column of another table, or of the same.

    Attributes:
        position: Of the column that refers.
        target: Namespace and name of the table referred to.
        column: The name of its column in the store.
        default: What the column is set to by `set default`.
    """

    position: int
    attribute: str
    name: str
    target: tuple[str | None, str]
    column: str
    on_delete: str
    on_update: str
    default: Fill | None


@frozen(eq=False)
class Checking:
    """A check constraint: its condition, name, and the columns that it was declared on."""

    condition: Closed
    name: str
    columns: tuple[str, ...]


@frozen(eq=False)
class Layout:
    """
    What a table keeps to.

    Attributes:
        relation: The class that it was made for.
        positions: Of columns, by their names in the store.
        uniques: The primary key first, where there is one.
        indexed: Positions of the columns of each index that is worth having.
        required: Positions of columns that take no NULL.
        fills: What columns get that a row does not give.
        computed: Generated columns, in order, by position.
        counter: The position of the key that is made up here, or None.
    """

    relation: Any
    key: tuple[str | None, str]
    columns: tuple[ColumnInfo, ...]
    positions: Mapping[str, int]
    uniques: tuple[Uniqueness, ...]
    indexed: tuple[tuple[int, ...], ...]
    references: tuple[Reference, ...]
    checks: tuple[Checking, ...]
    required: tuple[int, ...]
    fills: Mapping[int, Fill]
    computed: tuple[tuple[int, Closed], ...]
    counter: int | None

    @property
    def primary_key(self) -> Uniqueness | None:
        """The primary key's constraint, or None."""
        return self.uniques[0] if self.uniques and self.uniques[0].name is None else None

    def named(self, positions: Sequence[int]) -> tuple[str, ...]:
        """Return the attribute names of columns."""
        return tuple([self.columns[each].attribute for each in positions])


@frozen(eq=False)
class Adapter:
    """How rows of a table look to another relation class of the same table."""

    row: Callable[[Row], Row]
    positions: tuple[int, ...]


def layout_of(relation: Any, codecs: Codecs) -> Layout:
    """
    Return the layout of a relation's table.

    Raises:
        Unsupported: A check, default or generated column is in SQL that is not understood.
    """
    described = info(info(relation).original)
    _require_plain(described, codecs)
    counted = [each.position for each in described.columns if each.autoincrement]
    fills = {each.position: fill for each in described.columns if (fill := _fill(each, described, codecs)) is not None}
    return Layout(
        relation=described.original,
        key=(described.schema, described.name),
        columns=described.columns,
        positions={each.name: each.position for each in described.columns},
        uniques=tuple(_uniques(described, codecs)),
        indexed=tuple(indexed_positions(described)),
        references=tuple(_references(described, fills)),
        checks=tuple([_check(each, described, codecs) for each in described.checks]),
        required=tuple([each.position for each in described.columns if not each.nullable]),
        fills=fills,
        computed=tuple(_computed(described, codecs)),
        counter=counted[0] if counted else None,
    )


def _require_plain(described: RelationInfo, codecs: Codecs) -> None:
    """
    Refuse what only another gateway has.

    Raises:
        Unsupported: A column's type, an index, a constraint, or how the relation is kept.
    """
    require_kept((described.relation,), codecs)
    others = [each for each in described.indexes if type(each) is not Index or each.method is not None]
    for each in (*others, *described.constraints, *[each for each in (described.storage,) if each is not None]):
        raise Unsupported(
            type(each).__name__,
            "memory",
            f"{described.relation.__name__} has {each!r}, which the memory gateway lacks",
            hint="declare the relation without it for this gateway",
        )


def adapter_of(layout: Layout, relation: Any) -> Adapter | None:
    """
    Return how a relation class sees the rows of a table that was made for another; None where it sees them as they are.

    Raises:
        StatementError: It has a column that the table lacks.
    """
    described = info(relation)
    names = [each.name for each in described.columns]
    missing = [each for each in names if each not in layout.positions]
    if missing:
        raise StatementError(
            f"table {described.name!r} has no column {missing[0]!r}: it was created for another relation",
            hint="drop the old relation, or use another name",
        )
    if names == [each.name for each in layout.columns]:
        return None
    positions = [layout.positions[each] for each in names]
    row = itemgetter(*positions) if len(positions) > 1 else _only(positions[0])
    return Adapter(row, tuple(positions))


def _only(position: int) -> Callable[[Row], Row]:
    return lambda row: (row[position],)


def _uniques(described: RelationInfo, codecs: Codecs) -> list[Uniqueness]:
    found: list[Uniqueness] = []
    if described.primary_key:
        key = described.primary_key
        found.append(Uniqueness(tuple([each.position for each in key]), tuple([each.attribute for each in key]), None))
    for each in described.uniques:
        name = each.name or named("uq", described.name, [described.column(one).name for one in each.columns])
        found.append(Uniqueness(_positions(described, each.columns), each.columns, name))
    return [*found, *[_unique_index(each, described, codecs) for each in described.indexes if each.unique]]


def _unique_index(index: Index, described: RelationInfo, codecs: Codecs) -> Uniqueness:
    terms = [] if index.columns else [_term(each, described) for each in index.terms]
    where = None
    if index.where is not None:
        condition = (
            parse_sql(index.where, described, codecs, what="the condition of an index")
            if isinstance(index.where, str)
            else index.where()
        )
        where = Closed(condition, codecs, described.original)
    over = [_shape(each) for each in terms] or [described.column(each).name for each in index.columns]
    return Uniqueness(
        _positions(described, index.columns),
        index.columns,
        index.name or named("ix", described.name, over),
        where,
        tuple([Closed(each, codecs, described.original) for each in terms]),
    )


def _term(term: IndexTerm, described: RelationInfo) -> Expr[Any, Any]:
    made = described.attributes[term] if isinstance(term, str) else term()
    expression = made.expression if isinstance(made, Order) else made
    if not isinstance(expression, Expr):
        raise DeclarationError(
            f"an index of {described.relation.__name__} is over {made!r}, expected an expression",
            hint="write Index(lambda: fn.lower(Posts.title))",
        )
    return expression


def _shape(expression: Expr[Any, Any]) -> str:
    """Return what names an expression: its column, or a hash."""
    if isinstance(expression, Attribute):
        return expression.column.name
    return fingerprint(re.sub(r"#\d+", "", shape(expression)))


def _positions(described: RelationInfo, names: Sequence[str]) -> tuple[int, ...]:
    return tuple([described.column(each).position for each in names])


def _references(described: RelationInfo, fills: Mapping[int, Fill]) -> list[Reference]:
    found = []
    for each in described.columns:
        referenced = each.referenced()
        if referenced is not None:
            target, options = info(info(referenced.relation).original), each.options
            found.append(
                Reference(
                    position=each.position,
                    attribute=each.attribute,
                    name=named("fk", described.name, [each.name]),
                    target=(target.schema, target.name),
                    column=referenced.column.name,
                    on_delete=options.on_delete,
                    on_update=options.on_update_key,
                    default=fills.get(each.position),
                )
            )
    return found


def _check(check: Check, described: RelationInfo, codecs: Codecs) -> Checking:
    own = next((each for each in described.columns if each.options.check is check.condition), None)
    condition = check.condition
    expression = parse_sql(condition, described, codecs, what="a check") if isinstance(condition, str) else condition()
    text = condition if isinstance(condition, str) else re.sub(r"#\d+", "", shape(expression))
    name = check.name or named("ck", described.name, [fingerprint(text) if own is None else own.name])
    return Checking(Closed(expression, codecs, described.original), name, () if own is None else (own.attribute,))


def _fill(column: ColumnInfo, described: RelationInfo, codecs: Codecs) -> Fill | None:
    default = column.options.server_default
    if default is None:
        return (lambda run: 1) if column.version else None
    if isinstance(default, Expr):
        convert = assigned(column.type, default.type, codecs, f"{described.original.__name__}.{column.attribute}")
        return _computed_fill(Closed(default, codecs), convert)
    what = f"the server default of {column.attribute}"
    expression = parse_sql(default, described, codecs, what=what, columns=False)
    return _computed_fill(Closed(expression, codecs), cast(column.type))


def _computed_fill(closed: Closed, convert: Callable[[Any], Any] | None) -> Fill:
    def fill(run: Run) -> Any:
        value = closed.value((), run)
        return value if convert is None or value is None else convert(value)

    return fill


def _computed(described: RelationInfo, codecs: Codecs) -> list[tuple[int, Closed]]:
    found = []
    for each in described.columns:
        text = each.options.generated
        if text is not None:
            expression = parse_sql(text, described, codecs, what=f"the generated column {each.attribute}")
            found.append((each.position, Closed(expression, codecs, described.original)))
    return found
