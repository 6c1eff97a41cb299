"""
The compiler of the memory gateway: statements to operations, and operations to what runs them.

A statement goes in; an operation comes out, with encoded values. What is compiled of its shape is kept, so that it is
done once. The functions that run an operation are found by the parts that operations of one shape share.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final, TypeAlias

from gateways.memory.computing import View
from gateways.memory.layouts import layout_of
from gateways.memory.reads import Reader, ReadPlan, evaluating, plan_of, read_by_key, scanning
from gateways.memory.writes import ChangePlan, InsertPlan, RowsPlan, change_of, conflict_plan
from gateways.memory.writing import Change, ConflictPlan
from gateways.sql.keeping import require_kept
from gateways.sql.plans import LIMIT, Plans
from mapper.errors import Unsupported
from mapper.operations import (
    Call,
    DeleteByKey,
    Evaluate,
    GetByKey,
    Operation,
    RawSql,
    Scan,
    UpdateByKey,
    Upsert,
)
from mapper.relation import info
from mapper.statements import (
    AddColumn,
    CreateSchema,
    Delete,
    DeleteRows,
    DropSchema,
    InsertRows,
    Readable,
    Statement,
    Update,
    UpdateRows,
)
from mapper.types import Codecs

__all__ = ["MemoryCompiler"]

Key: TypeAlias = tuple[Any, ...]

Kept: TypeAlias = tuple[Any, Any]
"""Parts of an operation, kept so that their identities stay theirs, and what was compiled of them."""


class MemoryCompiler:
    """
    Compiles for the memory gateway.

    Args:
        codecs: How values are kept.
        limit: How many shapes are kept, of statements and of operations each.
    """

    __slots__ = ("_by_parts", "_plans", "_writers", "codecs")

    def __init__(self, codecs: Codecs, *, limit: int = LIMIT) -> None:
        self.codecs = codecs
        self._plans: Plans[Any] = Plans(limit)
        self._by_parts: Plans[Kept] = Plans(limit)
        self._writers: Final[dict[type[Any], Callable[[Any], Operation]]] = {
            InsertRows: self._insert,
            Update: lambda statement: self._change_plan(statement).update(statement),
            Delete: lambda statement: self._change_plan(statement).delete(statement),
            UpdateRows: lambda statement: self._rows_plan(statement).update(statement),
            DeleteRows: lambda statement: self._rows_plan(statement).delete(statement),
            RawSql: _refuse_sql,
        }

    def compile(self, statement: Statement) -> Operation:
        """
        Compile a statement; see `Gateway.compile`.

        Raises:
            Unsupported: It needs what the memory gateway lacks.
            NotJoined: It uses a column of a relation that it does not read.
            ValueNotStorable: One of its values cannot be stored exactly.
            QueryError: It is wrong in itself.
        """
        write = self._writers.get(type(statement))
        if write is not None:
            return write(statement)
        return self._read(statement)  # type: ignore[arg-type]  # writes are dealt with above

    def compile_schema(self, change: CreateSchema | DropSchema | AddColumn) -> Sequence[Call]:
        """
        Compile a change of the schema.

        Raises:
            Unsupported: A check, default or generated column is in SQL that is not understood.
        """
        if isinstance(change, AddColumn):
            relations, name = (info(change.relation).original,), "widen"
        else:
            relations = tuple(dict.fromkeys([info(each).original for each in change.relations]))
            name = "create" if isinstance(change, CreateSchema) else "drop"
        if name != "drop":
            for each in relations:
                layout_of(each, self.codecs)
        return [Call(name, relations, writes=frozenset(relations))] if relations else []

    # -- running -------------------------------------------------------------------------------------------------------

    def read(self, operation: Operation, view: View) -> Iterable[tuple[Any, ...]]:
        """
        Give the rows of a read.

        Raises:
            Unsupported: It is no read of the memory gateway.
        """
        match operation:
            case GetByKey():
                return read_by_key(operation, view)
            case Scan():
                return self._reader(operation, _scan_parts(operation), scanning)(operation, view)
            case Evaluate():
                return self._reader(operation, (operation.select,), evaluating)(operation, view)
            case _:
                raise Unsupported(
                    "sql", "memory", f"{type(operation).__name__} needs 'sql', which the memory gateway lacks"
                )

    def change(self, operation: UpdateByKey | DeleteByKey) -> Change:
        """Return what was compiled of an update or a delete."""
        assignments = operation.assignments if isinstance(operation, UpdateByKey) else ()
        parts = (operation.relation, assignments, operation.filter, operation.condition)
        rows = operation.rows
        size = len(operation.parameters) if rows is None else len(rows[0]) if rows else 0
        change: Change = self._kept(parts, size, lambda: change_of(*parts, self.codecs, size))
        return change

    def conflict(self, operation: Upsert) -> ConflictPlan:
        """Return what was compiled of an upsert's conflict."""
        conflict = operation.conflict
        if conflict.assignments and not conflict.key:
            return conflict_plan(operation.relation, conflict, self.codecs)
        key = (Upsert, operation.relation, conflict.columns, conflict.key)
        plan: ConflictPlan = self._plans.get(key, lambda: conflict_plan(operation.relation, conflict, self.codecs))
        return plan

    def _reader(self, operation: Any, parts: Key, make: Callable[[Any, Codecs], Reader]) -> Reader:
        reader: Reader = self._kept(parts, len(operation.parameters), lambda: make(operation, self.codecs))
        return reader

    def _kept(self, parts: Key, size: int, make: Callable[[], Any]) -> Any:
        key = (size, *map(id, parts))
        found = self._by_parts.young.get(key)
        if found is None:
            found = self._by_parts.get(key, lambda: (parts, make()))
        return found[1]

    def _keep(self, parts: Key, size: int, made: Any) -> None:
        self._by_parts.keep((size, *map(id, parts)), (parts, made))

    # -- plans ---------------------------------------------------------------------------------------------------------

    def _read(self, statement: Readable) -> Operation:
        known: ReadPlan | None = self._plans.young.get(statement.key)
        if known is not None:
            return known.operation(statement.parameters)
        plan: ReadPlan = self._plans.get(statement.key, partial(self._read_plan, statement))
        return plan.operation(statement.parameters)

    def _read_plan(self, statement: Readable) -> ReadPlan:
        size = len(statement.parameters)
        select = statement.assemble()
        require_kept(select.reads, self.codecs)
        plan = plan_of(select, size, self.codecs)
        if plan.reader is not None:
            self._keep(plan.parts, size, plan.reader)
        return plan

    def _insert(self, statement: InsertRows) -> Operation:
        conflict, relation = statement.conflict, info(statement.relation).original
        if conflict is not None and conflict.assignments and not conflict.key:
            return InsertPlan(statement, self.codecs).operation(statement)
        of_conflict = None if conflict is None else (conflict.columns, conflict.key)
        key = (InsertRows, relation, statement.columns, of_conflict)
        plan: InsertPlan = self._plans.get(key, lambda: InsertPlan(statement, self.codecs))
        return plan.operation(statement)

    def _change_plan(self, statement: Update | Delete) -> ChangePlan:
        key = (type(statement), info(statement.relation).original, statement.key)
        known: ChangePlan | None = self._plans.young.get(key)
        if known is not None:
            return known
        plan: ChangePlan = self._plans.get(key, lambda: ChangePlan(statement, self.codecs))
        self._keep(plan.parts, len(statement.parameters), plan.change)
        return plan

    def _rows_plan(self, statement: UpdateRows | DeleteRows) -> RowsPlan:
        described = info(statement.relation)
        behind = len(described.primary_key) + (statement.version is not None)
        width = len(statement.rows[0]) - behind if statement.rows else 0
        shape = statement.key if isinstance(statement, UpdateRows) else None
        key = (type(statement), described.original, shape, statement.version, width)
        known: RowsPlan | None = self._plans.young.get(key)
        if known is not None:
            return known
        plan: RowsPlan = self._plans.get(key, lambda: RowsPlan(statement, width, self.codecs))
        self._keep(plan.parts, plan.size, plan.change)
        return plan


def _refuse_sql(statement: RawSql) -> Operation:
    raise Unsupported("sql", "memory", "a raw statement needs 'sql', which the memory gateway lacks")


def _scan_parts(operation: Scan) -> Key:
    return operation.relation, operation.columns, operation.filter, operation.order
