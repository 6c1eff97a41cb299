"""
One table: the text of its columns, constraints and indexes.

A relation goes in, text comes out. Constraints and indexes without a name of the user's get one that follows from what
they are over.
"""

from collections.abc import Iterator
from typing import Any

from attrs import frozen

from gateways.sql.declarations import Condition, IndexText, TableText, ViewText
from gateways.sql.dialect import Dialect
from gateways.sql.inline import Inline
from gateways.sql.naming import fingerprint, named
from mapper.columns import NOT_GIVEN, Check, ColumnInfo, Index, IndexTerm, Unique
from mapper.errors import DeclarationError, QueryError, Unsupported
from mapper.expressions import Attribute, Expr, Order, Parameter
from mapper.relation import RelationInfo, info
from mapper.types import Codecs

__all__ = ["Constraint", "Table"]


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
        return self._dialect.table_of(self.relation)

    @property
    def is_view(self) -> bool:
        """Whether the relation has the rows of a query."""
        return self.relation.storage is not None and self.relation.storage.query is not None

    def view(self, codecs: Codecs) -> ViewText:
        """
        Return the statements of a relation that has the rows of a query.

        Raises:
            Unsupported: The store has no such relation.
            QueryError: It declares what only a table keeps to.
        """
        text = self._style.declarations.view(self.relation, self._dialect, codecs)
        if text is None:
            raise self._unsupported("storage", self.relation.storage)
        self._require_rows_alone()
        return text

    def create(self, constraints: list[Constraint]) -> str:
        """
        Return the statement that creates the table with these constraints.

        Raises:
            Unsupported: The store has no such table.
        """
        text = self._table_text()
        lines = [self.column(each) for each in self.relation.columns]
        key = self.relation.primary_key
        if key and not key[0].autoincrement:
            lines.append(f"PRIMARY KEY ({self._columns(key)})")
        lines.extend([f"CONSTRAINT {self._dialect.name_of(each.name)} {each.text}" for each in constraints])
        return f"CREATE {text.kind} IF NOT EXISTS {self.name} (\n  " + ",\n  ".join(lines) + f"\n){text.behind}"

    def add(self, column: ColumnInfo) -> Iterator[str]:
        """
        Give the statements that add a column, with its check, its reference and what is over it alone.

        Rows that are there get the store's default; where there is none, the constant that the client would give.
        """
        target = column.referenced()
        parts = [
            f"ALTER TABLE {self.name} ADD COLUMN {self.column(column)}",
            *self._filler(column),
            *([f"CHECK ({self.condition(column.options.check)})"] if column.options.check else []),
            *([self._reference(column, target)] if target is not None else []),
        ]
        yield " ".join(parts)
        alone = (column.attribute,)
        uniques = [self._as_index(each) for each in self.relation.uniques if each.columns == alone]
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
            text = self.condition(check.condition)
            yield Constraint(check.name or self._check_name(check, text), f"CHECK ({text})")

    def others(self) -> Iterator[Constraint]:
        """
        Give the constraints of kinds that only some stores have.

        Raises:
            Unsupported: This one has no such kind.
        """
        for each in self.relation.constraints:
            text = self._style.declarations.constraint(each, self)
            if text is None:
                raise self._unsupported("constraint", each)
            yield Constraint(each.name or named("ex", self.relation.name, [fingerprint(text)]), text)

    def references(self) -> Iterator[tuple[Constraint, RelationInfo]]:
        """Give the references to other relations, each with the relation that it refers to."""
        for column in self._referring():
            target = column.referenced()
            if target is not None:
                text = f"FOREIGN KEY ({self._columns([column])}) {self._reference(column, target)}"
                yield (
                    Constraint(named("fk", self.relation.name, [column.name]), text),
                    info(info(target.relation).original),
                )

    def indexes(self) -> Iterator[Constraint]:
        """Give the indexes: their names, and the statements that create them."""
        return (made for _, made in self.declared_indexes())

    def declared_indexes(self) -> Iterator[tuple[Index, Constraint]]:
        """Give the indexes as they are declared, each with what `indexes` gives for it."""
        return ((each, self._index(each)) for each in dict.fromkeys(self.relation.indexes))

    def unique_indexes(self) -> Iterator[tuple[Unique, str]]:
        """Give the unique constraints as they are declared, each with a statement that adds it to a table that exists."""
        return ((each, self._index(self._as_index(each)).text) for each in dict.fromkeys(self.relation.uniques))

    def mended_reference(self, column: ColumnInfo, stored: str | None) -> str:
        """
        Return how the reference of a column is made what is declared.

        Args:
            column: A column that refers to another.
            stored: The name of the reference that it has and that is to go; None where it has none.
        """
        if not self._style.alters_constraints:
            return "make the table anew: the store changes no reference of a table that exists"
        dropped = "" if stored is None else f"DROP CONSTRAINT {self._dialect.name_of(stored)}, "
        added = next(each for each, own in zip(self.references(), self._referring(), strict=True) if own is column)[0]
        return f"run ALTER TABLE {self.name} {dropped}ADD CONSTRAINT {self._dialect.name_of(added.name)} {added.text}"

    def view_indexes(self) -> Iterator[Constraint]:
        """Give the indexes of a relation that has the rows of a query: its key and unique constraints are such, too."""
        key = tuple([each.attribute for each in self.relation.primary_key])
        uniques = [*([Unique(*key)] if key else []), *self.relation.uniques]
        for each in dict.fromkeys(uniques):
            yield self._index(self._as_index(each))
        yield from self.indexes()

    def comments(self, kind: str = "TABLE") -> Iterator[str]:
        """Give the statements that leave comments, where the store keeps them."""
        if not self._style.comments:
            return
        if self.relation.comment is not None:
            yield f"COMMENT ON {kind} {self.name} IS {self._dialect.literal(self.relation.comment)}"
        for each in self.relation.columns:
            if each.options.comment is not None:
                yield f"COMMENT ON COLUMN {self.name}.{self._dialect.name_of(each.name)} IS {self._dialect.literal(each.options.comment)}"

    def column_name(self, attribute: str) -> str:
        """Return the name of a column, quoted."""
        return self._dialect.name_of(self.relation.column(attribute).name)

    def term(self, term: IndexTerm) -> str:
        """
        Return what an index is over: a column's name, or an expression in parentheses, with its order.

        Raises:
            DeclarationError: It is a function that gives something else.
        """
        if isinstance(term, str):
            return self.column_name(term)
        made = term()
        order, expression = (made, made.expression) if isinstance(made, Order) else (None, made)
        if not isinstance(expression, Expr):
            raise DeclarationError(
                f"an index of {self.relation.relation.__name__} is over {made!r}, expected an expression",
                hint="write Index(lambda: fn.lower(Posts.title))",
            )
        text = self._inline.text(expression, self.relation)
        return (text if isinstance(expression, Attribute) else f"({text})") + self._direction(order)

    def condition(self, condition: Condition) -> str:
        """Return the text of a condition."""
        return condition if isinstance(condition, str) else self._inline.text(condition(), self.relation)

    # -- inside
    # ----------------------------------------------------------------------------------------------------------------------------

    def _direction(self, order: Order[Any] | None) -> str:
        """Return how a term of an index is ordered; a store that cannot be told where its NULLs are has its own way."""
        if order is None:
            return ""
        native_last = (self._dialect.nulls == "largest") is not order.descending
        said = self._style.index_nulls and order.expression.nullable and native_last is not order.nulls_are_last
        nulls = f" NULLS {'LAST' if order.nulls_are_last else 'FIRST'}" if said else ""
        return f"{' DESC' if order.descending else ''}{nulls}"

    def _filler(self, column: ColumnInfo) -> list[str]:
        constant = column.options.default
        if column.nullable or self.default(column) is not None or constant is NOT_GIVEN or callable(constant):
            return []
        return [f"DEFAULT {self._inline.text(Parameter(constant, column.type), self.relation)}"]

    def _require_rows_alone(self) -> None:
        relation, options = self.relation, [each.options for each in self.relation.columns]
        kept = [*relation.checks, *relation.constraints, *[each.references or each.generated for each in options]]
        if any(kept) or any([each.server_default is not None for each in options]):
            raise QueryError(
                f"{relation.relation.__name__} has the rows of a query, and constraints, defaults or computed columns",
                hint="declare those on the relations that the query reads",
            )

    def _table_text(self) -> TableText:
        storage = self.relation.storage
        text = TableText() if storage is None else self._style.declarations.table(storage)
        if text is None:
            raise self._unsupported("storage", storage)
        return text

    def _index(self, index: Index) -> Constraint:
        text = self._style.declarations.index(index, self)
        if text is None:
            raise self._unsupported("index", index)
        method, terms = self._method(index), [self.term(each) for each in index.terms]
        where = None if index.where is None else self.condition(index.where)
        name = index.name or self._index_name(index, text, where)
        suffixed = ", ".join(
            [f"{term}{each}" for term, each in zip(terms, text.suffixes or [""] * len(terms), strict=True)]
        )
        head = f"CREATE {'UNIQUE ' if index.unique else ''}INDEX IF NOT EXISTS {self._index_place(name)}"
        return Constraint(name, f"{head}{method} ({suffixed}){text.behind}{'' if where is None else f' WHERE {where}'}")

    def _index_place(self, name: str) -> str:
        """Return the name of an index and its table: one of them has the namespace."""
        inside = self._style.schema_in_index
        quoted = self._dialect.name_of(self._dialect.schema_of(self.relation) if inside else None, name)
        return f"{quoted} ON {self._dialect.name_of(self.relation.name) if inside else self.name}"

    def _reference(self, column: ColumnInfo, target: Attribute[Any, Any]) -> str:
        described = info(info(target.relation).original)
        schema = self._dialect.schema_of(described) if self._style.schema_in_references else None
        text = f"REFERENCES {self._dialect.name_of(schema, described.name)} ({self._columns([target.column])})"
        actions = [("ON DELETE", column.options.on_delete), ("ON UPDATE", column.options.on_update_key)]
        return text + "".join([f" {event} {_ACTIONS[action]}" for event, action in actions if action in _ACTIONS])

    def _referring(self) -> list[ColumnInfo]:
        return [each for each in self.relation.columns if each.options.references is not None]

    def _as_index(self, unique: Unique) -> Index:
        return Index(*unique.columns, name=unique.name or self._unique_name(unique), unique=True)

    def _columns(self, columns: Any) -> str:
        return ", ".join([self._dialect.name_of(each.name) for each in columns])

    def _unique_name(self, unique: Unique) -> str:
        return named("uq", self.relation.name, [self.relation.column(each).name for each in unique.columns])

    def _check_name(self, check: Check, text: str) -> str:
        own = next((each for each in self.relation.columns if each.options.check is check.condition), None)
        return named("ck", self.relation.name, [fingerprint(text) if own is None else own.name])

    def _index_name(self, index: Index, text: IndexText, where: str | None) -> str:
        """An index over part of the rows, by another method or with other options is another index over the same."""
        over = [
            self.relation.column(each).name if isinstance(each, str) else fingerprint(self.term(each))
            for each in index.terms
        ]
        more = "".join([f":{each}" for each in (*text.suffixes, text.behind) if each])
        apart = f"{index.method}:{where}{more}"
        plain = where is None and index.method is None and not more
        return named("ix", self.relation.name, over if plain else [*over, fingerprint(apart)])

    def _method(self, index: Index) -> str:
        if index.method is None:
            return ""
        if index.method not in self._style.index_methods:
            gateway = self._dialect.capabilities.gateway
            raise Unsupported("index_method", gateway, f"the {gateway} gateway has no index method {index.method!r}")
        return f" USING {index.method}"

    def _unsupported(self, what: str, declared: object) -> Unsupported:
        gateway, kind = self._dialect.capabilities.gateway, type(declared).__name__
        return Unsupported(
            what,
            gateway,
            f"{self.relation.relation.__name__} has {_with_article(kind)}, which the {gateway} gateway lacks",
            hint="declare the relation without it for this gateway",
        )


_ACTIONS = {"restrict": "RESTRICT", "cascade": "CASCADE", "set null": "SET NULL", "set default": "SET DEFAULT"}


def _with_article(kind: str) -> str:
    return f"{'an' if kind[0] in 'AEIOU' else 'a'} {kind}"
