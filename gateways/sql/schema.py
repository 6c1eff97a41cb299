"""
Schemas to SQL: the statements that create and drop the tables of relations.

Relations go in; statements come out, in an order that their references allow and that is the same from run to run. Text
of checks, defaults, generated columns and partial indexes is the user's, over the names that columns have in the store.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from gateways.sql.dialect import Dialect
from gateways.sql.inline import Inline
from gateways.sql.tables import Constraint, Table
from mapper.columns import ColumnInfo
from mapper.errors import QueryError
from mapper.operations import RawSql
from mapper.placeholders import escape_placeholders
from mapper.relation import RelationInfo, info
from mapper.types import Codecs

__all__ = ["Schemas"]


class Schemas:
    """Writes schemas for one dialect."""

    def __init__(self, dialect: Dialect, codecs: Codecs) -> None:
        self._dialect = dialect
        self._inline = Inline(dialect, codecs)

    def create(self, relations: Iterable[Any]) -> list[RawSql]:
        """
        Return the statements that create what is missing, each relation's tables before their indexes, and after what
        they refer to.
        """
        self._dialect.capabilities.require("ddl", what="creating a schema")
        tables = [self._table(each) for each in _ordered(relations)]
        names: dict[str, str] = {}
        made: set[Any] = set()
        statements = self._namespaces(tables)
        later: list[RawSql] = []
        for table in tables:
            made.add(table.relation.original)
            inside, outside = self._constraints(table, [each.relation.original for each in tables], made)
            statements.append(self._statement(table, table.create(inside)))
            later.extend([self._statement(table, self._added(table, each)) for each in outside])
            for index in table.indexes():
                _require_unused(names, index.name, table.relation)
                statements.append(self._statement(table, index.text))
            statements.extend([self._statement(table, each) for each in table.comments()])
        return statements + later

    def add(self, relation: Any, column: ColumnInfo) -> list[RawSql]:
        """Return the statements that add a column to a table that exists, and what is over that column alone."""
        self._dialect.capabilities.require("ddl", what="adding a column")
        table = self._table(info(info(relation).original))
        return [self._statement(table, each) for each in table.add(column)]

    def drop(self, relations: Iterable[Any]) -> list[RawSql]:
        """Return the statements that drop the relations, each before what it refers to."""
        self._dialect.capabilities.require("ddl", what="dropping a schema")
        tables = [self._table(each) for each in reversed(_ordered(relations))]
        style = self._dialect.schema
        if not tables:
            return []
        if style.drop_together:
            writes = frozenset([each.relation.original for each in tables])
            return [RawSql(f"DROP TABLE IF EXISTS {', '.join([each.name for each in tables])}", (), writes=writes)]
        before = [] if style.before_drop is None or len(tables) == 1 else [RawSql(style.before_drop)]
        return before + [self._statement(each, f"DROP TABLE IF EXISTS {each.name}") for each in tables]

    def _table(self, relation: RelationInfo) -> Table:
        if relation.schema is not None:
            self._dialect.capabilities.require(
                "schemas", what=f"the namespace {relation.schema!r} of {relation.relation.__name__}"
            )
        return Table(relation, self._dialect, self._inline)

    def _constraints(
        self, table: Table, all_: Sequence[Any], made: set[Any]
    ) -> tuple[list[Constraint], list[Constraint]]:
        """Return the constraints of a table, and apart from them the references to tables that are made later."""
        inside = [*table.uniques(), *table.checks()]
        outside: list[Constraint] = []
        for reference, target in table.references():
            waits = not self._dialect.schema.late_references and target.original in all_ and target.original not in made
            (outside if waits else inside).append(reference)
        return inside, outside

    def _namespaces(self, tables: Sequence[Table]) -> list[RawSql]:
        template = self._dialect.schema.namespace
        if template is None:
            return []
        names = dict.fromkeys([each.relation.schema for each in tables if each.relation.schema is not None])
        return [RawSql(escape_placeholders(template.replace("{0}", self._dialect.name_of(each)))) for each in names]

    def _added(self, table: Table, constraint: Constraint) -> str:
        text = f"ALTER TABLE {table.name} ADD CONSTRAINT {self._dialect.name_of(constraint.name)} {constraint.text}"
        return self._dialect.schema.unless_there.replace("{0}", text)

    def _statement(self, table: Table, text: str) -> RawSql:
        return RawSql(escape_placeholders(text), (), writes=frozenset((table.relation.original,)))


def _ordered(relations: Iterable[Any]) -> list[RelationInfo]:
    """
    Return relations once each, those that others refer to first, by name otherwise. Where they refer to each other, by
    name.
    """
    known = {info(each).original: info(info(each).original) for each in relations}
    by_name = sorted(known.values(), key=lambda each: (each.schema or "", each.name))
    ordered: list[RelationInfo] = []
    seen: set[Any] = set()

    def visit(relation: RelationInfo) -> None:
        if relation.original in seen:
            return
        seen.add(relation.original)
        for target in _referred(relation):
            if target in known:
                visit(known[target])
        ordered.append(relation)

    for each in by_name:
        visit(each)
    return ordered


def _referred(relation: RelationInfo) -> list[Any]:
    targets = [each.referenced() for each in relation.columns]
    return [info(each.relation).original for each in targets if each is not None]


def _require_unused(names: dict[str, str], name: str, relation: RelationInfo) -> None:
    other = names.setdefault(name, relation.relation.__name__)
    if other != relation.relation.__name__:
        raise QueryError(
            f"{other} and {relation.relation.__name__} both have an index {name!r}",
            hint="give one of them a name: Index('title', name='…')",
        )
