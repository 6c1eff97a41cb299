"""
Writes to SQL: inserts, upserts, updates, deletes.

A statement's shape goes in; text, the places of its parameters and the relations that it reads come out. Rows of values
are not looked at here.
"""

from collections.abc import Sequence
from typing import Any

from attrs import frozen

from gateways.sql.dialect import Dialect
from gateways.sql.expressions import Expressions
from gateways.sql.pieces import NOTHING, Bind, Place, Sql, enclosed, joined, sql
from gateways.sql.scopes import Around, Scope
from gateways.sql.select import Selects
from mapper.assembly import walk
from mapper.columns import ColumnInfo
from mapper.errors import QueryError
from mapper.expressions import Expr, Subquery
from mapper.relation import RelationInfo, info
from mapper.statements import Conflict, Delete, Source, Update

__all__ = ["Compiled", "Writes"]

Assignments = Sequence[tuple[ColumnInfo, Expr[Any, Any]]]


@frozen(eq=False)
class Compiled:
    """
    The text of a write.

    Attributes:
        reads: Relations that its subqueries read.
        key_at: Where the key stands among the parameters of a row.
        probe: The text that looks for the row of a key.
    """

    text: Sql
    reads: frozenset[Any] = frozenset()
    key_at: slice | None = None
    probe: Sql | None = None


class Writes:
    """Makes SQL of writes to one relation."""

    def __init__(self, dialect: Dialect, relation: Any) -> None:
        self.dialect = dialect
        self.relation: RelationInfo = info(info(relation).original)
        if self.relation.storage is not None and self.relation.storage.query is not None:
            raise QueryError(
                f"{self.relation.relation.__name__} has the rows of a query, so nothing can be written to it",
                hint="write to the relations that the query reads",
            )
        self._selects = Selects(dialect)
        self._expressions: Expressions = self._selects.expressions

    def insert(
        self, columns: Sequence[ColumnInfo], returning: Sequence[ColumnInfo], conflict: Conflict | None
    ) -> Compiled:
        """
        Return the insert of one row, whose parameters are numbered as the columns; the conflict's are numbered by
        themselves.
        """
        values = [
            Sql((Bind(index, (each.type,), "value", self._place(each), not each.nullable),))
            for index, each in enumerate(columns)
        ]
        names = ", ".join([self.dialect.name_of(each.name) for each in columns])
        row = sql(f"({names}) VALUES ", enclosed(joined(values, ", "))) if columns else sql(self.dialect.default_row)
        scope = self._scope(qualified=False, excluded=True)
        clause = NOTHING if conflict is None else self._conflict(conflict, scope)
        text = sql(f"INSERT INTO {self._table} ", row, clause, self._returning(returning, scope))
        return Compiled(text, frozenset(self._selects.reads))

    def update(self, statement: Update) -> Compiled:
        """Return one update of all rows that fulfil a condition."""
        nodes = [*[value for _, value in statement.assignments], *statement.where]
        scope = self._scope(qualified=statement.source is not None or _has_subquery(nodes))
        source = NOTHING if statement.source is None else self._from(statement.source, scope)
        text = sql(
            f"UPDATE {self._table} SET ",
            self._assignments(statement.assignments, scope),
            source,
            self._where(statement.where, scope),
            self._returning(statement.returning, scope),
        )
        return Compiled(text, frozenset(self._selects.reads))

    def update_rows(self, assignments: Assignments, width: int, version: ColumnInfo | None) -> Compiled:
        """
        Return the update of one row by its key, which follows `width` values of the assignments; behind it, the
        version's.
        """
        scope = self._scope(qualified=_has_subquery([value for _, value in assignments]))
        sets = [self._assignments(assignments, scope)] if assignments else []
        if version is not None:
            name = self.dialect.name_of(version.name)
            sets.append(sql(f"{name} = {self._named(version, scope)} + 1"))
        if not sets:
            sets.append(
                joined(
                    [sql(f"{name} = {name}") for name in [self.dialect.name_of(each.name) for each in self._key]], ", "
                )
            )
        head = sql(f"UPDATE {self._table} SET ", joined(sets, ", "))
        return self._by_key(head, width, version, scope)

    def delete(self, statement: Delete) -> Compiled:
        """Return one delete of all rows that fulfil a condition."""
        scope = self._scope(qualified=_has_subquery(statement.where))
        text = sql(
            f"DELETE FROM {self._table}",
            self._where(statement.where, scope),
            self._returning(statement.returning, scope),
        )
        return Compiled(text, frozenset(self._selects.reads))

    def delete_rows(self, version: ColumnInfo | None) -> Compiled:
        """Return the delete of one row by its key; behind it, the version's value."""
        return self._by_key(sql(f"DELETE FROM {self._table}"), 0, version, self._scope(qualified=False))

    # -- inside
    # ----------------------------------------------------------------------------------------------------------------------------

    @property
    def _table(self) -> str:
        return self.dialect.table_of(self.relation)

    @property
    def _key(self) -> tuple[ColumnInfo, ...]:
        if not self.relation.primary_key:
            raise QueryError(
                f"{self.relation.relation.__name__} has no primary key, so none of its rows can be named",
                hint="use where(…)",
            )
        return self.relation.primary_key

    def _scope(self, *, qualified: bool, excluded: bool = False) -> Scope:
        scope = Scope(self.dialect, Around(), qualified=qualified, excluded=excluded)
        scope.add(self.relation.name, self.relation)
        return scope

    def _place(self, column: ColumnInfo) -> Place:
        return Place(self.relation.relation.__name__, column.attribute, column.options.sensitive)

    def _named(self, column: ColumnInfo, scope: Scope) -> str:
        return scope.column(self.relation.attributes[column.attribute])

    def _assignments(self, assignments: Assignments, scope: Scope) -> Sql:
        if not assignments:
            raise QueryError(
                f"an update of {self.relation.relation.__name__} assigns nothing",
                hint="give it assignments: Posts.title.to('new')",
            )
        return joined([self._assignment(column, value, scope) for column, value in assignments], ", ")

    def _assignment(self, column: ColumnInfo, value: Expr[Any, Any], scope: Scope) -> Sql:
        return sql(
            f"{self.dialect.name_of(column.name)} = ",
            self._expressions.assigned(value, scope, column, self._place(column)),
        )

    def _from(self, source: Source, scope: Scope) -> Sql:
        self.dialect.capabilities.require("update_from", what="an update from other rows")
        return sql(" FROM ", self._selects.source(source, scope))

    def _where(self, conditions: Sequence[Expr[bool, Any]], scope: Scope) -> Sql:
        return sql(" WHERE ", self._expressions.conditions(conditions, scope)) if conditions else NOTHING

    def _returning(self, columns: Sequence[ColumnInfo], scope: Scope) -> Sql:
        if not columns:
            return NOTHING
        self.dialect.capabilities.require("returning", what="a write that gives back rows")
        return sql(" RETURNING " + ", ".join([self._named(each, scope) for each in columns]))

    def _conflict(self, conflict: Conflict, scope: Scope) -> Sql:
        capabilities = self.dialect.capabilities
        capabilities.require("upsert", what="on_conflict")
        target = (
            ""
            if not conflict.columns
            else f" ({', '.join([self.dialect.name_of(each.name) for each in conflict.columns])})"
        )
        if target:
            capabilities.require("upsert_target", what="on_conflict with columns")
        if not conflict.assignments:
            return sql(f" ON CONFLICT{target} DO NOTHING")
        if not target and not self.dialect.upsert_any:
            raise QueryError(
                "on_conflict that updates does not say on which columns",
                hint="name them: on_conflict(Posts.slug, update=[…])",
            )
        if conflict.where is not None:
            capabilities.require("upsert_where", what="on_conflict with where")
        stored_row = Scope(self.dialect, Around(), qualified=True, excluded=True)
        stored_row.add(self.relation.name, self.relation)
        where = self._where(() if conflict.where is None else (conflict.where,), stored_row)
        return sql(f" ON CONFLICT{target} DO UPDATE SET ", self._assignments(conflict.assignments, stored_row), where)

    def _by_key(self, head: Sql, width: int, version: ColumnInfo | None, scope: Scope) -> Compiled:
        key = self._key
        conditions = [self._equals(each, width + index, scope) for index, each in enumerate(key)]
        found = joined(conditions, " AND ")
        of_version = NOTHING if version is None else sql(" AND ", self._equals(version, width + len(key), scope))
        probe = sql(
            f"SELECT 1 FROM {self._table} WHERE ",
            joined([self._equals(each, index, scope) for index, each in enumerate(key)], " AND "),
        )
        text = sql(head, " WHERE ", found, of_version)
        before = len([each for each in head.parts if isinstance(each, Bind)])
        return Compiled(text, frozenset(self._selects.reads), slice(before, before + len(key)), probe)

    def _equals(self, column: ColumnInfo, index: int, scope: Scope) -> Sql:
        bind = Bind(index, (column.type,), "value", self._place(column), required=True)
        return sql(f"{self._named(column, scope)} = ", bind)


def _has_subquery(nodes: Sequence[Expr[Any, Any]]) -> bool:
    return any(isinstance(each, Subquery) for node in nodes for each in walk(node))
