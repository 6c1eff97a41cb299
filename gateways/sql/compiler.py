"""
The compiler of SQL gateways: statements to operations.

A statement goes in; an operation with text and encoded parameters comes out, without I/O. Text is made once for each
shape: after that a look-up finds it, and the values are bound.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

from attrs import evolve

from gateways.sql.dialect import Dialect
from gateways.sql.pieces import Bind, Sql, spliced, written
from gateways.sql.plans import LIMIT, Binder, CompiledSelect, CompiledWrite, Plans, binder
from gateways.sql.schema import Schemas
from gateways.sql.select import Selects
from gateways.sql.writes import Compiled, Writes
from mapper.capabilities import Capabilities
from mapper.columns import ColumnInfo
from mapper.errors import QueryError
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
        }

    def compile(self, statement: Statement) -> SqlOperation:
        """
        Compile a statement.

        Raises:
            Unsupported: It needs a capability that the gateway lacks.
            NotJoined: It uses a column of a relation that it does not read.
            ValueNotStorable: One of its values cannot be stored exactly.
            QueryError: It is wrong in itself.
        """
        compile_write = self._writers.get(type(statement))
        if compile_write is not None:
            return compile_write(statement)
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

    def _select(self, statement: Readable) -> CompiledSelect:
        select = statement.assemble()
        selects = Selects(self.dialect)
        text, bind = self._finished(selects.whole(select))
        return CompiledSelect(text, bind, select.columns, frozenset(selects.reads))

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

    def _write(self, compiled: Compiled, returning: Sequence[ColumnInfo] = ()) -> CompiledWrite:
        text, bind = self._finished(compiled.text)
        probe = None if compiled.probe is None else self._finished(compiled.probe)[0]
        outputs = tuple([OutputColumn(each.attribute, each.type, each.nullable) for each in returning])
        return CompiledWrite(text, bind, None, outputs, compiled.reads, compiled.key_at, probe)

    def _plan(self, key: tuple[Any, ...], make: Callable[[], CompiledWrite]) -> CompiledWrite:
        plan: CompiledWrite = self._plans.get(key, make)
        return plan

    # -- writes
    # ----------------------------------------------------------------------------------------------------------------------------

    def _insert(self, statement: InsertRows) -> SqlOperation:
        conflict, relation = statement.conflict, info(statement.relation).original
        key = (
            InsertRows,
            relation,
            statement.columns,
            statement.returning,
            None if conflict is None else (conflict.columns, conflict.key),
        )
        plan = self._plan(key, partial(self._insert_plan, statement))
        rows = plan.binder.bind_rows(statement.rows)
        writes = frozenset((relation,))
        if conflict is None:
            return Insert(relation, statement.columns, rows, statement.returning, plan.sql, plan.reads, writes)
        more = () if plan.more is None else plan.more.bind(conflict.parameters)
        return Upsert(
            relation, statement.columns, rows, conflict, statement.returning, plan.sql, more, plan.reads, writes
        )

    def _insert_plan(self, statement: InsertRows) -> CompiledWrite:
        compiled = Writes(self.dialect, statement.relation).insert(
            statement.columns, statement.returning, statement.conflict
        )
        done = written(compiled.text, self.dialect.placeholder)
        width = len(statement.columns)
        return CompiledWrite(
            done.text,
            binder(self.dialect, self._codecs, done.binds[:width]),
            binder(self.dialect, self._codecs, done.binds[width:]),
            reads=compiled.reads,
        )

    def _update(self, statement: Update) -> UpdateSql:
        relation = info(statement.relation).original
        plan = self._plan(
            (Update, relation, statement.key, statement.returning),
            lambda: self._write(Writes(self.dialect, relation).update(statement), statement.returning),
        )
        parameters = plan.binder.bind(statement.parameters)
        return UpdateSql(plan.sql, parameters, relation, False, plan.returning, plan.reads, frozenset((relation,)))

    def _update_rows(self, statement: UpdateRows) -> UpdateSql:
        described = info(statement.relation)
        relation = described.original
        behind = len(described.primary_key) + (statement.version is not None)
        width = len(statement.rows[0]) - behind if statement.rows else 0
        plan = self._plan(
            (UpdateRows, relation, statement.key, statement.version, width),
            lambda: self._write(
                Writes(self.dialect, relation).update_rows(statement.assignments, width, statement.version)
            ),
        )
        parameters = plan.binder.bind_rows(statement.rows)
        return UpdateSql(
            plan.sql, parameters, relation, True, (), plan.reads, frozenset((relation,)), plan.key_at, plan.probe
        )

    def _delete(self, statement: Delete) -> DeleteSql:
        relation = info(statement.relation).original
        plan = self._plan(
            (Delete, relation, statement.key, statement.returning),
            lambda: self._write(Writes(self.dialect, relation).delete(statement), statement.returning),
        )
        parameters = plan.binder.bind(statement.parameters)
        return DeleteSql(plan.sql, parameters, relation, False, plan.returning, plan.reads, frozenset((relation,)))

    def _delete_rows(self, statement: DeleteRows) -> DeleteSql:
        relation = info(statement.relation).original
        plan = self._plan(
            (DeleteRows, relation, statement.version),
            lambda: self._write(Writes(self.dialect, relation).delete_rows(statement.version)),
        )
        parameters = plan.binder.bind_rows(statement.rows)
        return DeleteSql(
            plan.sql, parameters, relation, True, (), plan.reads, frozenset((relation,)), plan.key_at, plan.probe
        )
