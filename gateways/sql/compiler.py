"""
The compiler of SQL gateways: statements to operations.

A statement goes in; an operation with text and encoded parameters comes out, without I/O. Text is made once for each
shape: after that a look-up finds it, and the values are bound.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

from attrs import evolve

from gateways.sql.agreeing import AgreeingSelect
from gateways.sql.dialect import Dialect
from gateways.sql.drift import StoredIndex, StoredReference
from gateways.sql.keeping import require_kept
from gateways.sql.pieces import Bind, Sql, spliced, written
from gateways.sql.plans import LIMIT, Binder, CompiledSelect, CompiledWrite, Plans, binder, of_rows
from gateways.sql.schema import Schemas
from gateways.sql.select import Selects
from gateways.sql.sharing import SharingSelect
from gateways.sql.writes import Compiled, Writes
from mapper.capabilities import Capabilities
from mapper.columns import ColumnInfo
from mapper.errors import QueryError
from mapper.gateway import Drift
from mapper.operations import (
    DeleteSql,
    Insert,
    OutputColumn,
    QuerySql,
    RawSql,
    SqlOperation,
    UpdateSql,
    Upsert,
)
from mapper.placeholders import split_placeholders
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

__all__ = ["SqlCompiler"]

Compile: TypeAlias = Callable[[Any], SqlOperation]


class SqlCompiler:
    """
    Compiles for one dialect and one way of storing values.

    Args:
        dialect: The database's SQL.
        codecs: How values are stored.
        capabilities: What the gateway can do, where that is not what the dialect says.
        limit: How many compiled plans are kept.
    """

    __slots__ = ("_codecs", "_plans", "_schemas", "_writers", "dialect")

    def __init__(
        self, dialect: Dialect, codecs: Codecs, capabilities: Capabilities | None = None, *, limit: int = LIMIT
    ) -> None:
        self.dialect = dialect if capabilities is None else evolve(dialect, capabilities=capabilities)
        self._codecs = codecs
        self._plans: Plans[Any] = Plans(limit)
        self._schemas = Schemas(self.dialect, codecs)
        self._writers: Mapping[type[Any], Compile] = {
            InsertRows: self._insert,
            Update: self._update,
            UpdateRows: self._update_rows,
            Delete: self._delete,
            DeleteRows: self._delete_rows,
            RawSql: self._raw,
        }

    def within(self, schema: str, *, limit: int) -> "SqlCompiler":
        """Return the compiler of the same, with relations that declare no namespace in this one."""
        return SqlCompiler(evolve(self.dialect, default_schema=schema), self._codecs, limit=limit)

    def compile(self, statement: Statement) -> SqlOperation:
        """
        Compile a statement.

        Raises:
            Unsupported: It needs a capability that the gateway lacks.
            NotJoined: It uses a column of a relation that it does not read.
            ValueNotStorable: One of its values cannot be stored exactly.
            QueryError: It is wrong in itself.
        """
        write = self._writers.get(type(statement))
        if write is not None:
            return write(statement)
        key: str = statement.key  # type: ignore[union-attr]  # writes are dealt with above
        plan = self._plans.young.get(key)
        if plan is None:
            plan = self._plans.get(key, partial(self._select, statement))  # type: ignore[arg-type]  # as above
        operation: QuerySql = plan.operation(statement.parameters)  # type: ignore[union-attr]  # as above
        return operation

    def compile_schema(self, change: CreateSchema | DropSchema | AddColumn) -> Sequence[RawSql]:
        """
        Compile a change of the schema to the statements that make it, in order.

        Raises:
            Unsupported: It needs a capability that the gateway lacks.
            QueryError: A check or a default cannot be written down.
        """
        match change:
            case CreateSchema(relations=relations):
                return self._schemas.create(relations)
            case DropSchema(relations=relations):
                return self._schemas.drop(relations)
            case AddColumn(relation=relation, column=column):
                return self._schemas.add(relation, column)

    def drift(
        self, relation: Any, indexes: Sequence[StoredIndex], references: Sequence[StoredReference]
    ) -> list[Drift]:
        """Return what a store keeps over a relation's table otherwise than declared; see `gateways.sql.drift`."""
        return self._schemas.drift(relation, indexes, references)

    def raw_text(self, operation: RawSql) -> str:
        """
        Return the text of a raw statement with the placeholders of this dialect.

        Raises:
            QueryError: The numbers of placeholders and parameters differ.
        """
        text: str = self._plans.get(
            (RawSql, operation.text, len(operation.parameters)), partial(self._raw_text, operation)
        )
        return text

    # -- plans
    # -----------------------------------------------------------------------------------------------------------------------------

    def _raw(self, operation: RawSql) -> RawSql:
        """Return a raw statement, which is an operation already, once its placeholders are counted."""
        self.raw_text(operation)
        return operation

    def _select(self, statement: Readable) -> CompiledSelect | SharingSelect | AgreeingSelect:
        select = statement.assemble()
        selects = Selects(self.dialect)
        piece = selects.whole(select)
        require_kept(selects.reads, self._codecs)
        text, bind = self._finished(piece)
        compiled = CompiledSelect(text, bind, select.columns, frozenset(selects.reads))
        shares = self.dialect.numbered and selects.expressions.recognized and len(bind.binds) > 1
        found = SharingSelect(piece, compiled, self.dialect) if shares else compiled
        return AgreeingSelect(found, tuple(pairs)) if (pairs := selects.expressions.pairs) else found

    def _raw_text(self, operation: RawSql) -> str:
        pieces = split_placeholders(operation.text)
        if len(pieces) - 1 != len(operation.parameters):
            raise QueryError(
                f"the raw statement has {len(pieces) - 1} placeholders and {len(operation.parameters)} parameters",
                hint="write '??' for a question mark; in quotes and comments a single one is literal",
            )
        binds = [Sql((Bind(index, (), "raw"),)) for index in range(len(operation.parameters))]
        return written(spliced(pieces, binds), self.dialect.placeholder).text

    def _finished(self, piece: Sql) -> tuple[str, Binder]:
        done = written(piece, self.dialect.placeholder)
        return done.text, binder(self.dialect, self._codecs, done.binds)

    def _write(self, relation: Any, compiled: Compiled, returning: Sequence[ColumnInfo] = ()) -> CompiledWrite:
        text, bind = self._finished(compiled.text)
        probe = None if compiled.probe is None else self._finished(compiled.probe)[0]
        outputs = tuple([OutputColumn(each.attribute, each.type, each.nullable) for each in returning])
        return CompiledWrite(relation, text, bind, None, outputs, compiled.reads, compiled.key_at, probe)

    def _writes_to(self, relation: Any) -> Writes:
        require_kept((relation,), self._codecs)
        return Writes(self.dialect, relation)

    def _plan(self, key: tuple[Any, ...], make: Callable[[], CompiledWrite]) -> CompiledWrite:
        plan: CompiledWrite = self._plans.get(key, make)
        return plan

    # -- writes
    # ----------------------------------------------------------------------------------------------------------------------------

    def _insert(self, statement: InsertRows) -> SqlOperation:
        conflict, columns, returning = statement.conflict, statement.columns, statement.returning
        shape = None if conflict is None else (conflict.columns, conflict.key)
        key = (InsertRows, statement.relation, columns, returning, shape)
        plan: Any = self._plans.young.get(key)
        if plan is None:
            plan = self._plan(key, partial(self._insert_plan, statement))
        if conflict is None:
            operation: Insert = plan.operation(statement.rows)
            return operation
        rows = plan.binder.bind_rows(statement.rows)
        more = () if plan.more is None else plan.more.bind(conflict.parameters)
        return Upsert(
            plan.relation, columns, rows, conflict, returning, plan.sql, more, plan.reads, plan.writes, plan.schema
        )

    def _insert_plan(self, statement: InsertRows) -> CompiledWrite:
        compiled = self._writes_to(statement.relation).insert(
            statement.columns, statement.returning, statement.conflict
        )
        done = written(compiled.text, self.dialect.placeholder)
        width = len(statement.columns)
        plan = CompiledWrite(
            info(statement.relation).original,
            done.text,
            binder(self.dialect, self._codecs, done.binds[:width]),
            binder(self.dialect, self._codecs, done.binds[width:]),
            reads=compiled.reads,
            schema=self.dialect.default_schema,
        )
        said = {"columns": statement.columns, "returning": statement.returning, "schema": plan.schema}
        return evolve(plan, operation=of_rows(Insert, plan.binder, "rows", _of(plan) | said))

    def _update(self, statement: Update) -> UpdateSql:
        relation = info(statement.relation).original
        plan = self._plan(
            (Update, relation, statement.key, statement.returning),
            lambda: self._write(relation, self._writes_to(relation).update(statement), statement.returning),
        )
        parameters = plan.binder.bind(statement.parameters)
        return UpdateSql(plan.sql, parameters, relation, False, plan.returning, plan.reads, plan.writes)

    def _update_rows(self, statement: UpdateRows) -> UpdateSql:
        rows = statement.rows
        key = (UpdateRows, statement.relation, statement.key, statement.version, len(rows[0]) if rows else 0)
        plan: Any = self._plans.young.get(key)
        if plan is None:
            plan = self._plan(key, partial(self._update_rows_plan, statement))
        operation: UpdateSql = plan.operation(rows)
        return operation

    def _update_rows_plan(self, statement: UpdateRows) -> CompiledWrite:
        described = info(statement.relation)
        relation = described.original
        behind = len(described.primary_key) + (statement.version is not None)
        width = len(statement.rows[0]) - behind if statement.rows else 0
        writes = self._writes_to(relation)
        plan = self._write(relation, writes.update_rows(statement.assignments, width, statement.version))
        said = {"many": True, "returning": (), "key_at": plan.key_at, "probe": plan.probe}
        return evolve(plan, operation=of_rows(UpdateSql, plan.binder, "parameters", _of(plan) | said))

    def _delete(self, statement: Delete) -> DeleteSql:
        relation = info(statement.relation).original
        plan = self._plan(
            (Delete, relation, statement.key, statement.returning),
            lambda: self._write(relation, self._writes_to(relation).delete(statement), statement.returning),
        )
        parameters = plan.binder.bind(statement.parameters)
        return DeleteSql(plan.sql, parameters, relation, False, plan.returning, plan.reads, plan.writes)

    def _delete_rows(self, statement: DeleteRows) -> DeleteSql:
        relation = info(statement.relation).original
        plan = self._plan(
            (DeleteRows, relation, statement.version),
            lambda: self._write(relation, self._writes_to(relation).delete_rows(statement.version)),
        )
        parameters = plan.binder.bind_rows(statement.rows)
        return DeleteSql(plan.sql, parameters, relation, True, (), plan.reads, plan.writes, plan.key_at, plan.probe)


def _of(plan: CompiledWrite) -> dict[str, Any]:
    """Return what every operation takes of its plan, by field."""
    return {"relation": plan.relation, "sql": plan.sql, "reads": plan.reads, "writes": plan.writes}
