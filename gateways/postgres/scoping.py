"""
Schemas that are chosen for a repository: what compiles for one of them, without a connection of its own.

A name goes in; a compiler comes out that qualifies every relation which declares no schema. The compilers of the
schemas that were used last are kept, as their plans are.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final

from gateways.postgres.inspection import (
    columns_query,
    index_query,
    reference_query,
    stored_columns,
    stored_indexes,
    stored_references,
)
from gateways.postgres.locks import number_of, taking
from gateways.sql import SqlCompiler
from mapper.errors import QueryError
from mapper.gateway import Drift, Gateway, StoredColumn
from mapper.operations import Operation, RawSql, SqlOperation
from mapper.relation import info
from mapper.statements import AddColumn, CreateSchema, DropSchema, Statement

__all__ = ["SchemaCompilers", "Scoped", "drift", "locked"]

KEPT: Final = 128
"""Schemas whose compilers are kept."""

PLANS: Final = 512
"""Plans that are kept of each."""

LONGEST: Final = 63
"""Bytes of a name; PostgreSQL would cut a longer one, which might then be that of another schema."""

ONE_AT_A_TIME: Final = RawSql(taking(session=False, wait=True, shared=False, number=number_of("mapper schema")))
"""Takes the lock of changes of the schema."""


def locked(operations: Sequence[Operation]) -> Sequence[Operation]:
    """
    Return changes of the schema behind a lock until the end of the transaction: of two programs that make one schema at
    once, PostgreSQL would fail one, in spite of IF NOT EXISTS.
    """
    return [ONE_AT_A_TIME, *operations] if operations else operations


class Scoped:
    """Compiles for one schema; see `mapper.delegating.SchemaCompiler`."""

    __slots__ = ("_compiler", "_gateway", "_schema")

    def __init__(self, gateway: Gateway, schema: str, compiler: SqlCompiler) -> None:
        self._gateway = gateway
        self._schema = schema
        self._compiler = compiler

    def compile(self, statement: Statement) -> SqlOperation:
        """Compile a statement; see `mapper.gateway.Gateway.compile`."""
        return self._compiler.compile(statement)

    def compile_schema(self, change: CreateSchema | DropSchema | AddColumn) -> Sequence[Operation]:
        """Compile a change of the schema, which begins with making it; see `PostgresGateway.compile_schema`."""
        return locked(self._compiler.compile_schema(change))

    async def inspect(self, relation: Any) -> Sequence[StoredColumn] | None:
        """Return the columns of a relation's table in this schema; None where there is none."""
        described = info(relation)
        return stored_columns(
            described, (await self._gateway.execute(columns_query(described, described.schema or self._schema))).rows
        )

    async def drift(self, relation: Any) -> Sequence[Drift]:
        """Return what is over a relation's table in this schema otherwise than declared."""
        return await drift(self._gateway, self._compiler, relation, self._schema)


async def drift(gateway: Gateway, compiler: SqlCompiler, relation: Any, schema: str | None = None) -> Sequence[Drift]:
    """
    Return what is over a relation's table otherwise than declared; see `mapper.gateway.Gateway.drift`.

    Args:
        gateway: Where to ask.
        compiler: What writes the statements that mend it.
        relation: The relation.
        schema: Where relations are that declare no schema; None leaves that to the server.
    """
    described = info(relation)
    named = described.schema or schema
    indexes = stored_indexes((await gateway.execute(index_query(described, named))).rows)
    references = stored_references((await gateway.execute(reference_query(described, named))).rows)
    return compiler.drift(relation, indexes, references)


class SchemaCompilers:
    """The compilers of the schemas that were used last."""

    __slots__ = ("_compiler", "_kept")

    def __init__(self, compiler: SqlCompiler) -> None:
        self._compiler = compiler
        self._kept: OrderedDict[str, SqlCompiler] = OrderedDict()

    def of(self, schema: object) -> SqlCompiler:
        """
        Return the compiler of a schema.

        Raises:
            QueryError: It is no name of one.
        """
        found = self._kept.get(schema) if isinstance(schema, str) else None
        if found is None or not isinstance(schema, str):
            name = _checked(schema)
            found = self._kept[name] = self._compiler.within(name, limit=PLANS)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(schema)
        return found


def _checked(schema: object) -> str:
    if not isinstance(schema, str) or not 0 < len(schema.encode(errors="replace")) <= LONGEST or "\x00" in schema:
        raise QueryError(f"the schema is {schema!r}, expected a name of 1 to {LONGEST} bytes")
    return schema
