"""
Plans of writes: which operation a statement becomes, and what is compiled of it.

A statement's shape goes in; plans come out that make operations of its values.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

from gateways.memory.access import compile_access
from gateways.memory.binding import RowBinder, column_binding
from gateways.memory.casts import assigned
from gateways.memory.evaluate import compilation_of
from gateways.memory.expressions import compile_condition, compile_expression, conjuncts
from gateways.memory.reads import key_of
from gateways.memory.scope import Scope, of_relation
from gateways.memory.writing import Assign, Change, ConflictPlan
from mapper.columns import ColumnInfo
from mapper.errors import QueryError, Unsupported
from mapper.expressions import BOOLEAN, Call, Expr, Slot, Subquery
from mapper.operations import DeleteByKey, Insert, UpdateByKey, Upsert
from mapper.relation import RelationInfo, info
from mapper.statements import Conflict, Delete, DeleteRows, InsertRows, Update, UpdateRows
from mapper.terms import literal
from mapper.types import Codecs

__all__ = ["ChangePlan", "InsertPlan", "RowsPlan", "change_of", "conflict_plan"]

Assignments: TypeAlias = tuple[tuple[ColumnInfo, Expr[Any, Any]], ...]

MUST_BE_THERE = literal(True)
"""The condition of changes to rows that must be there, whatever is in them."""


class InsertPlan:
    """Inserts and upserts of one relation, columns and conflict."""

    __slots__ = ("_binder", "_conflict", "_reads", "relation")

    def __init__(self, statement: InsertRows, codecs: Codecs) -> None:
        self.relation = info(statement.relation).original
        _refuse_generated(statement.columns, self.relation)
        self._binder = RowBinder(tuple([column_binding(each, self.relation, codecs) for each in statement.columns]))
        conflict = statement.conflict
        self._conflict = None if conflict is None else conflict_plan(self.relation, conflict, codecs)
        self._reads = frozenset() if conflict is None else _read_by([value for _, value in conflict.assignments])
        if conflict is not None and conflict.where is not None:
            self._reads |= _read_by([conflict.where])

    def operation(self, statement: InsertRows) -> Insert | Upsert:
        """Return the operation for a statement's rows."""
        rows, writes = self._binder.bind(statement.rows), frozenset((self.relation,))
        conflict = statement.conflict
        if conflict is None or self._conflict is None:
            return Insert(self.relation, statement.columns, rows, statement.returning, writes=writes)
        change = self._conflict.change
        parameters = () if change is None else change.compilation.encode(conflict.parameters)
        return Upsert(
            self.relation,
            statement.columns,
            rows,
            conflict,
            statement.returning,
            parameters=parameters,
            reads=self._reads,
            writes=writes,
        )


def conflict_plan(relation: Any, conflict: Conflict, codecs: Codecs) -> ConflictPlan:
    """
    Compile what an upsert does with a conflict.

    Raises:
        QueryError: No key or unique constraint is over its columns.
    """
    described = info(relation)
    _require_unique(described, conflict.columns)
    names = tuple([each.name for each in conflict.columns])
    if not conflict.assignments:
        return ConflictPlan(names, None)
    compilation = compilation_of(codecs, len(conflict.parameters))
    scope = Scope(compilation, [of_relation(relation)], incoming=1)
    assignments = _assignments(conflict.assignments, described, scope)
    keep = None if conflict.where is None else compile_condition((conflict.where,), scope)
    return ConflictPlan(names, Change(compilation, assignments, keep))


class ChangePlan:
    """Updates and deletes of all rows that fulfil a condition."""

    __slots__ = ("_assignments", "_filter", "_key", "_reads", "change", "relation")

    def __init__(self, statement: Update | Delete, codecs: Codecs) -> None:
        described = info(info(statement.relation).original)
        if isinstance(statement, Update) and statement.source is not None:
            raise Unsupported("update_from", "memory")
        self.relation = described.original
        self._assignments = statement.assignments if isinstance(statement, Update) else ()
        conditions = conjuncts(statement.where)
        self._key = key_of(conditions, described) if described.primary_key else None
        self._filter = None if self._key is not None or not conditions else _all(conditions)
        self._reads = statement.reads | _read_by([*[value for _, value in self._assignments], *statement.where])
        self.change = change_of(self.relation, self._assignments, self._filter, None, codecs, len(statement.parameters))
        if self._key is not None:
            compile_condition(
                tuple(conditions), Scope(self.change.compilation, [of_relation(self.relation)], bare=True)
            )

    @property
    def parts(self) -> tuple[Any, Assignments, Expr[bool, Any] | None, None]:
        """What the operations share."""
        return self.relation, self._assignments, self._filter, None

    def update(self, statement: Update) -> UpdateByKey:
        """Return the operation for an update's values."""
        encoded = self.change.compilation.encode(statement.parameters)
        return UpdateByKey(
            self.relation,
            self._keys(encoded),
            self._assignments,
            encoded,
            filter=self._filter,
            returning=statement.returning,
            reads=self._reads,
            writes=frozenset((self.relation,)),
        )

    def delete(self, statement: Delete) -> DeleteByKey:
        """Return the operation for a delete's values."""
        encoded = self.change.compilation.encode(statement.parameters)
        return DeleteByKey(
            self.relation,
            self._keys(encoded),
            encoded,
            filter=self._filter,
            returning=statement.returning,
            reads=self._reads,
            writes=frozenset((self.relation,)),
        )

    def _keys(self, encoded: Sequence[Any]) -> list[tuple[Any, ...]] | None:
        if self._key is None:
            return None
        key = tuple([encoded[each] for each in self._key])
        return [] if None in key else [key]


class RowsPlan:
    """Updates and deletes of single rows by key."""

    __slots__ = ("_assignments", "_binder", "_condition", "_reads", "_width", "change", "relation", "size")

    def __init__(self, statement: UpdateRows | DeleteRows, width: int, codecs: Codecs) -> None:
        described = info(info(statement.relation).original)
        if not described.primary_key:
            raise QueryError(
                f"{described.relation.__name__} has no primary key, so none of its rows can be named",
                hint="use where(…)",
            )
        self.relation = described.original
        self._width = width
        version = statement.version
        given = statement.assignments if isinstance(statement, UpdateRows) else None
        self._assignments = () if given is None else _raised(given, version, described)
        self._reads = _read_by([value for _, value in self._assignments])
        self._condition = MUST_BE_THERE if version is None else _still(version, described, width)
        self.size = width + (version is not None)
        self.change = change_of(self.relation, self._assignments, None, self._condition, codecs, self.size)
        keys = [column_binding(each, self.relation, codecs, required=True) for each in described.primary_key]
        behind = () if version is None else (column_binding(version, self.relation, codecs, required=True),)
        self._binder = RowBinder((*self.change.compilation.bindings(width), *keys, *behind))

    @property
    def parts(self) -> tuple[Any, Assignments, None, Expr[bool, Any]]:
        """What the operations share."""
        return self.relation, self._assignments, None, self._condition

    def update(self, statement: UpdateRows) -> UpdateByKey:
        """Return the operation for an update's rows."""
        keys, rows = self._split(statement.rows)
        return UpdateByKey(
            self.relation,
            keys,
            self._assignments,
            rows=rows,
            condition=self._condition,
            reads=self._reads,
            writes=frozenset((self.relation,)),
        )

    def delete(self, statement: DeleteRows) -> DeleteByKey:
        """Return the operation for a delete's rows."""
        keys, rows = self._split(statement.rows)
        return DeleteByKey(
            self.relation, keys, rows=rows, condition=self._condition, writes=frozenset((self.relation,))
        )

    def _split(self, given: Sequence[tuple[Any, ...]]) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        """Take the keys out of the rows; what is left are the values of the expressions, then the version's."""
        bound, start = self._binder.bind(given), self._width
        end = start + len(info(self.relation).primary_key)
        return [row[start:end] for row in bound], [row[:start] + row[end:] for row in bound]


def change_of(
    relation: Any,
    assignments: Assignments,
    condition: Expr[bool, Any] | None,
    required: Expr[bool, Any] | None,
    codecs: Codecs,
    size: int,
) -> Change:
    """
    Compile an update or a delete.

    Args:
        relation: Whose rows are changed.
        assignments: Columns and their new values.
        condition: Rows that it does not accept are skipped.
        required: Rows that it does not accept are stale.
        codecs: The gateway's.
        size: How many values the expressions have.
    """
    described = info(relation)
    compilation = compilation_of(codecs, size)
    scope = Scope(compilation, [of_relation(relation)], bare=True)
    conditions = conjuncts(() if condition is None else (condition,))
    access = compile_access(relation, conditions, scope)
    return Change(
        compilation,
        _assignments(assignments, described, scope),
        access.keep,
        None if required is None else compile_expression(required, scope),
        None if access.keys is None else (access.positions, access.keys),
    )


def _assignments(assignments: Assignments, described: RelationInfo, scope: Scope) -> tuple[tuple[str, Assign], ...]:
    _refuse_generated([column for column, _ in assignments], described.original)
    return tuple([(column.name, _assignment(column, value, described, scope)) for column, value in assignments])


def _assignment(column: ColumnInfo, value: Expr[Any, Any], described: RelationInfo, scope: Scope) -> Assign:
    codecs = scope.compilation.codecs
    if isinstance(value, Slot):
        scope.compilation.bind(value, column_binding(column, described.original, codecs))
        return compile_expression(value, scope)
    compute = compile_expression(value, scope)
    where = f"{described.original.__name__}.{column.attribute}"
    convert = assigned(column.type, value.type, codecs, where)
    return compute if convert is None else _converted(compute, convert)


def _converted(compute: Assign, convert: Any) -> Assign:
    return lambda row, values: convert(compute(row, values))


def _raised(assignments: Assignments, version: ColumnInfo | None, described: RelationInfo) -> Assignments:
    """Return assignments that raise the version too, unless they set it themselves."""
    if version is None or any([column.attribute == version.attribute for column, _ in assignments]):
        return assignments
    counted: Expr[Any, Any] = described.attributes[version.attribute]
    return (*assignments, (version, counted + literal(1)))


def _still(version: ColumnInfo, described: RelationInfo, index: int) -> Expr[bool, Any]:
    """Return the condition that a row still has the version that is given behind its values."""
    return Call("eq", (described.attributes[version.attribute], Slot(index, version.type)), BOOLEAN, nullable=False)


def _read_by(expressions: Sequence[Expr[Any, Any]]) -> frozenset[Any]:
    """Return the relations that subqueries within expressions read."""
    found: frozenset[Any] = frozenset()
    for each in expressions:
        found |= each.query.reads if isinstance(each, Subquery) else _read_by(each.children)
    return found


def _all(conditions: Sequence[Expr[bool, Any]]) -> Expr[bool, Any]:
    return conditions[0] if len(conditions) == 1 else Call("and", tuple(conditions), BOOLEAN, nullable=None)


def _refuse_generated(columns: Sequence[ColumnInfo], relation: Any) -> None:
    for each in columns:
        if each.options.generated is not None:
            raise QueryError(
                f"{relation.__name__}.{each.attribute} is generated and cannot be written", hint="leave it out"
            )


def _require_unique(described: RelationInfo, columns: Sequence[ColumnInfo]) -> None:
    wanted = {each.attribute for each in columns}
    known = [described.key_columns, *[set(each.columns) for each in described.uniques]]
    known.extend([set(each.columns) for each in described.indexes if each.unique and each.columns])
    if wanted and wanted not in known:
        raise QueryError(
            f"{described.original.__name__} has no key or unique constraint over {', '.join(sorted(wanted))}",
            hint="declare one: column(unique=True), or indexes=[Unique(…)]",
        )
