"""
Schemas to SQL: the statements that create and drop the tables of relations.

Relations go in; statements come out, in an order that their references allow and that is the same from run to run. Text
of checks, defaults, generated columns and partial indexes is the user's, over the names that columns have in the store.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from gateways.sql.declarations import OwnType, ViewText
from gateways.sql.dialect import Dialect
from gateways.sql.drift import StoredIndex, StoredReference, drift_of
from gateways.sql.inline import Inline
from gateways.sql.keeping import require_kept
from gateways.sql.tables import Constraint, Table
from mapper.columns import ColumnInfo
from mapper.errors import QueryError
from mapper.gateway import Drift
from mapper.operations import RawSql
from mapper.placeholders import escape_placeholders
from mapper.relation import RelationInfo, info
from mapper.types import Codecs

__all__ = ["Schemas"]


class Schemas:
    """Writes schemas for one dialect."""

    def __init__(self, dialect: Dialect, codecs: Codecs) -> None:
        self._dialect = dialect
        self._codecs = codecs
        self._inline = Inline(dialect, codecs)

    def create(self, relations: Iterable[Any]) -> list[RawSql]:
        """
        Return the statements that create what is missing: types of the store's own, then each relation's table before
        its indexes and after what it refers to, then relations that have the rows of a query.

        Raises:
            Unsupported: The store lacks something that a relation declares.
            QueryError: Two relations declare different things of one name.
        """
        self._dialect.capabilities.require("ddl", what="creating a schema")
        tables = [self._table(each) for each in _ordered(relations)]
        stored, views = _stored(tables), self._views(tables)
        statements = [*self._namespaces(tables), *self._own_types(tables)]
        names: dict[str, str] = {}
        made: set[Any] = set()
        later: list[RawSql] = []
        for table in stored:
            made.add(table.relation.original)
            inside, outside = self._constraints(table, [each.relation.original for each in stored], made)
            statements.append(self._statement(table, table.create(inside)))
            later.extend([self._statement(table, self._added(table, each)) for each in outside])
            statements.extend(self._around(table, table.indexes(), "TABLE", names))
        statements.extend(later)
        for table, view in views:
            statements.append(self._statement(table, view.create))
            statements.extend(self._around(table, table.view_indexes(), view.kind, names))
        return statements

    def add(self, relation: Any, column: ColumnInfo) -> list[RawSql]:
        """Return the statements that add a column to a table that exists, and what is over that column alone."""
        self._dialect.capabilities.require("ddl", what="adding a column")
        table = self._table(info(info(relation).original))
        if table.is_view:
            raise QueryError(
                f"{table.relation.relation.__name__} has the rows of a query, and takes no column {column.name!r}",
                hint="drop it, and push the schema again",
            )
        types = [each.create for each in self._dialect.schema.declarations.own_types(column.type)]
        return [self._statement(table, each) for each in (*types, *table.add(column))]

    def drop(self, relations: Iterable[Any]) -> list[RawSql]:
        """
        Return the statements that drop the relations, each before what it refers to, and then the types of the store's
        own that they have, where nothing else does.
        """
        self._dialect.capabilities.require("ddl", what="dropping a schema")
        tables = [self._table(each) for each in reversed(_ordered(relations))]
        views = [
            self._statement(table, f"DROP {view.kind} IF EXISTS {table.name}")
            for table, view in reversed(self._views(tables))
        ]
        types = [(path, table, each.drop) for path, (table, each) in self._types_by_path(tables).items()]
        return [
            *views,
            *self._dropped(_stored(tables)),
            *[self._statement(table, text) for _, table, text in reversed(types)],
        ]

    def drift(
        self, relation: Any, indexes: Sequence[StoredIndex], references: Sequence[StoredReference]
    ) -> list[Drift]:
        """Return what a store keeps over a relation's table otherwise than declared; see `gateways.sql.drift`."""
        table = self._table(info(info(relation).original))
        return [] if table.is_view else drift_of(table, indexes, references)

    def _dropped(self, tables: Sequence[Table]) -> list[RawSql]:
        style = self._dialect.schema
        if not tables:
            return []
        if style.drop_together:
            writes = frozenset([each.relation.original for each in tables])
            return [RawSql(f"DROP TABLE IF EXISTS {', '.join([each.name for each in tables])}", (), writes=writes)]
        before = [] if style.before_drop is None or len(tables) == 1 else [RawSql(style.before_drop)]
        return before + [self._statement(each, f"DROP TABLE IF EXISTS {each.name}") for each in tables]

    def _around(self, table: Table, indexes: Iterable[Constraint], kind: str, names: dict[str, str]) -> list[RawSql]:
        """Return what is created beside a table: its indexes and comments."""
        texts: list[str] = []
        for index in indexes:
            _require_unused(names, index.name, table.relation)
            texts.append(index.text)
        return [self._statement(table, each) for each in (*texts, *table.comments(kind))]

    def _views(self, tables: Sequence[Table]) -> list[tuple[Table, ViewText]]:
        """Return the relations that have the rows of a query, each behind those that its query reads."""
        made = {each.relation.original: (each, each.view(self._codecs)) for each in tables if each.is_view}
        ordered: dict[Any, tuple[Table, ViewText]] = {}

        def visit(relation: Any, around: frozenset[Any]) -> None:
            if relation in ordered or relation in around:
                return
            table, view = made[relation]
            for each in sorted(view.reads & made.keys(), key=lambda each: info(each).name):
                visit(each, around | {relation})
            ordered[relation] = (table, view)

        for each in sorted(made, key=lambda each: (info(each).schema or "", info(each).name)):
            visit(each, frozenset())
        return list(ordered.values())

    def _own_types(self, tables: Sequence[Table]) -> list[RawSql]:
        taken = {(each.relation.schema, each.relation.name): each.relation.relation.__name__ for each in tables}
        for path in self._types_by_path(tables):
            if path in taken:
                raise QueryError(
                    f"the type {path[1]!r} and the relation {taken[path]} have one name",
                    hint="give one of them another: a table is a type, too",
                )
        return [self._statement(table, each.create) for table, each in self._types_by_path(tables).values()]

    def _types_by_path(self, tables: Sequence[Table]) -> dict[tuple[str | None, str], tuple[Table, OwnType]]:
        found: dict[tuple[str | None, str], tuple[Table, OwnType]] = {}
        for table in tables:
            for column in table.relation.columns:
                for each in self._dialect.schema.declarations.own_types(column.type):
                    _require_same(found.setdefault(each.path, (table, each)), table, each)
        return found

    def _table(self, relation: RelationInfo) -> Table:
        if relation.schema is not None:
            self._dialect.capabilities.require(
                "schemas", what=f"the namespace {relation.schema!r} of {relation.relation.__name__}"
            )
        require_kept((relation.relation,), self._codecs)
        return Table(relation, self._dialect, self._inline)

    def _constraints(
        self, table: Table, all_: Sequence[Any], made: set[Any]
    ) -> tuple[list[Constraint], list[Constraint]]:
        """Return the constraints of a table, and apart from them the references to tables that are made later."""
        inside = [*table.uniques(), *table.checks(), *table.others()]
        outside: list[Constraint] = []
        for reference, target in table.references():
            waits = not self._dialect.schema.late_references and target.original in all_ and target.original not in made
            (outside if waits else inside).append(reference)
        return inside, outside

    def _namespaces(self, tables: Sequence[Table]) -> list[RawSql]:
        template = self._dialect.schema.namespace
        if template is None:
            return []
        names = dict.fromkeys([self._dialect.schema_of(each.relation) for each in tables])
        return [
            RawSql(escape_placeholders(template.replace("{0}", self._dialect.name_of(each))))
            for each in names
            if each is not None
        ]

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


def _stored(tables: Sequence[Table]) -> list[Table]:
    return [each for each in tables if not each.is_view]


def _require_same(known: tuple[Table, OwnType], table: Table, type_: OwnType) -> None:
    if known[1] != type_:
        names = f"{known[0].relation.relation.__name__} and {table.relation.relation.__name__}"
        raise QueryError(
            f"{names} have different types of one name, {type_.path[1]!r}", hint="give one of them another name"
        )


def _require_unused(names: dict[str, str], name: str, relation: RelationInfo) -> None:
    other = names.setdefault(name, relation.relation.__name__)
    if other != relation.relation.__name__:
        raise QueryError(
            f"{other} and {relation.relation.__name__} both have an index {name!r}",
            hint="give one of them a name: Index('title', name='…')",
        )
