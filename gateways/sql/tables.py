"""
One table: the text of its columns, constraints and indexes.

A relation goes in, text comes out. Constraints and indexes without a name of the user's get one that follows from what
they are over.
"""

from collections.abc import Callable, Iterator
from typing import Any

from attrs import frozen

from gateways.sql.dialect import Dialect
from gateways.sql.inline import Inline
from gateways.sql.naming import fingerprint, named
from mapper.columns import NOT_GIVEN, Check, ColumnInfo, Index, Unique
from mapper.errors import Unsupported
from mapper.expressions import Attribute, Expr, Parameter
from mapper.relation import RelationInfo, info

__all__ = ["Constraint", "Table"]

Condition = str | Callable[[], Expr[bool, Any]]


@frozen
class Constraint:
    """A constraint: its name, and its text behind that."""

    name: str
    text: str


class Table:
    """Writes what makes the table of one relation."""

    def __init__(self, relation: RelationInfo, dialect: Dialect, inline: Inline) -> None:
        self.relation = relation
        self._dialect = dialect
        self._style = dialect.schema
        self._inline = inline

    @property
    def name(self) -> str:
        """The table's name, quoted, with its namespace."""
        return self._dialect.name_of(self.relation.schema, self.relation.name)

    def create(self, constraints: list[Constraint]) -> str:
        """Return the statement that creates the table with these constraints."""
        lines = [self.column(each) for each in self.relation.columns]
        key = self.relation.primary_key
        if key and not key[0].autoincrement:
            lines.append(f"PRIMARY KEY ({self._columns(key)})")
        lines.extend([f"CONSTRAINT {self._dialect.name_of(each.name)} {each.text}" for each in constraints])
        return f"CREATE TABLE IF NOT EXISTS {self.name} (\n  " + ",\n  ".join(lines) + "\n)"

    def add(self, column: ColumnInfo) -> Iterator[str]:
        """
        Give the statements that add a column, with its check, its reference and what is over it alone.

        Rows that are there get the store's default; where there is none, the constant that the client would give.
        """
        target = column.referenced()
        parts = [
            f"ALTER TABLE {self.name} ADD COLUMN {self.column(column)}",
            *self._filler(column),
            *([f"CHECK ({self._condition(column.options.check)})"] if column.options.check else []),
            *([self._reference(column, target)] if target is not None else []),
        ]
        yield " ".join(parts)
        alone = (column.attribute,)
        uniques = [
            Index(*alone, name=each.name or self._unique_name(each), unique=True)
            for each in self.relation.uniques
            if each.columns == alone
        ]
        for index in dict.fromkeys([*uniques, *[each for each in self.relation.indexes if each.columns == alone]]):
            yield self._index(index).text

    def column(self, column: ColumnInfo) -> str:
        """Return the definition of a column."""
        quoted, type_ = self._dialect.name_of(column.name), self._style.type_text(column.type)
        if column.autoincrement:
            return f"{quoted} {self._style.autoincrement.format(type=type_)}"
        collation = self._dialect.collation(column.type)
        parts = [quoted, type_]
        if collation is not None:
            parts.append(f"COLLATE {collation}")
        if column.options.generated is not None:
            parts.append(self._style.generated.replace("{0}", column.options.generated))
        if not column.nullable:
            parts.append("NOT NULL")
        default = self.default(column)
        if default is not None:
            parts.append(f"DEFAULT {default}")
        return " ".join(parts)

    def default(self, column: ColumnInfo) -> str | None:
        """
        Return the default that the store makes, or None. A version starts at 1; a `default` of the client's is not the
        store's.
        """
        default = column.options.server_default
        if isinstance(default, Expr):
            return self._style.expression.replace("{0}", self._inline.text(default, self.relation, target=column.type))
        if default is not None:
            return self._style.expression.replace("{0}", str(default))
        return "1" if column.version else None

    def uniques(self) -> Iterator[Constraint]:
        """Give the unique constraints."""
        for each in self.relation.uniques:
            columns = [self.relation.column(name) for name in each.columns]
            yield Constraint(each.name or self._unique_name(each), f"UNIQUE ({self._columns(columns)})")

    def checks(self) -> Iterator[Constraint]:
        """Give the check constraints. One of a column is called by the column, another by a hash of its text."""
        for check in self.relation.checks:
            text = self._condition(check.condition)
            yield Constraint(check.name or self._check_name(check, text), f"CHECK ({text})")

    def references(self) -> Iterator[tuple[Constraint, RelationInfo]]:
        """Give the references to other relations, each with the relation that it refers to."""
        for column in self.relation.columns:
            target = column.referenced()
            if target is not None:
                text = f"FOREIGN KEY ({self._columns([column])}) {self._reference(column, target)}"
                yield (
                    Constraint(named("fk", self.relation.name, [column.name]), text),
                    info(info(target.relation).original),
                )

    def indexes(self) -> Iterator[Constraint]:
        """Give the indexes: their names, and the statements that create them."""
        return map(self._index, dict.fromkeys(self.relation.indexes))

    def comments(self) -> Iterator[str]:
        """Give the statements that leave comments, where the store keeps them."""
        if not self._style.comments:
            return
        if self.relation.comment is not None:
            yield f"COMMENT ON TABLE {self.name} IS {self._dialect.literal(self.relation.comment)}"
        for each in self.relation.columns:
            if each.options.comment is not None:
                yield f"COMMENT ON COLUMN {self.name}.{self._dialect.name_of(each.name)} IS {self._dialect.literal(each.options.comment)}"

    # -- inside
    # ----------------------------------------------------------------------------------------------------------------------------

    def _filler(self, column: ColumnInfo) -> list[str]:
        constant = column.options.default
        if column.nullable or self.default(column) is not None or constant is NOT_GIVEN or callable(constant):
            return []
        return [f"DEFAULT {self._inline.text(Parameter(constant, column.type), self.relation)}"]

    def _index(self, index: Index) -> Constraint:
        columns = [self.relation.column(name) for name in index.columns]
        name = index.name or self._index_name(index, columns)
        inside = self._style.schema_in_index
        quoted = self._dialect.name_of(self.relation.schema if inside else None, name)
        table = self._dialect.name_of(self.relation.name) if inside else self.name
        what = f"CREATE {'UNIQUE ' if index.unique else ''}INDEX IF NOT EXISTS {quoted} ON {table}{self._method(index)}"
        where = "" if index.where is None else f" WHERE {index.where}"
        return Constraint(name, f"{what} ({self._columns(columns)}){where}")

    def _reference(self, column: ColumnInfo, target: Attribute[Any, Any]) -> str:
        described = info(info(target.relation).original)
        schema = described.schema if self._style.schema_in_references else None
        text = f"REFERENCES {self._dialect.name_of(schema, described.name)} ({self._columns([target.column])})"
        actions = [("ON DELETE", column.options.on_delete), ("ON UPDATE", column.options.on_update_key)]
        return text + "".join([f" {event} {_ACTIONS[action]}" for event, action in actions if action in _ACTIONS])

    def _columns(self, columns: Any) -> str:
        return ", ".join([self._dialect.name_of(each.name) for each in columns])

    def _condition(self, condition: Condition) -> str:
        return condition if isinstance(condition, str) else self._inline.text(condition(), self.relation)

    def _unique_name(self, unique: Unique) -> str:
        return named("uq", self.relation.name, [self.relation.column(each).name for each in unique.columns])

    def _check_name(self, check: Check, text: str) -> str:
        own = next((each for each in self.relation.columns if each.options.check is check.condition), None)
        return named("ck", self.relation.name, [fingerprint(text) if own is None else own.name])

    def _index_name(self, index: Index, columns: list[ColumnInfo]) -> str:
        """An index over part of the rows, or by another method, is another index over the same columns."""
        apart = "" if index.where is None and index.method is None else fingerprint(f"{index.method}:{index.where}")
        return named("ix", self.relation.name, [*[each.name for each in columns], *([apart] if apart else [])])

    def _method(self, index: Index) -> str:
        if index.method is None:
            return ""
        if index.method not in self._style.index_methods:
            gateway = self._dialect.capabilities.gateway
            raise Unsupported("index_method", gateway, f"the {gateway} gateway has no index method {index.method!r}")
        return f" USING {index.method}"


_ACTIONS = {"restrict": "RESTRICT", "cascade": "CASCADE", "set null": "SET NULL", "set default": "SET DEFAULT"}
