"""
Scopes: what names mean at one place of a statement.

Columns go in, the text of their names comes out, or an error that says what is missing. Each select has a scope; that
of a subquery lies within the one of the select around it.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from attrs import field, frozen

from gateways.sql.dialect import Dialect
from gateways.sql.grouping import Groups
from gateways.sql.pieces import Place
from gateways.sql.shapes import Pairs, is_open, shape, slots
from mapper.advice import not_joined
from mapper.columns import ColumnInfo
from mapper.errors import NotJoined, QueryError
from mapper.expressions import Attribute, Expr
from mapper.relation import RelationInfo, described_name, info
from mapper.statements import FromSelect, Select

__all__ = ["MARK", "Around", "Scope", "place_of", "selected"]


MARK: Final = "is present"
"""The name of a column that only the rows of a relation have, where nothing else tells that there is one."""


@frozen(eq=False)
class Around:
    """
    What a select is in.

    Attributes:
        scope: That of the enclosing select, for a subquery; None elsewhere.
        commons: Names of the common tables that it sees, by their tokens.
    """

    scope: "Scope | None" = None
    commons: Mapping[str, str] = field(factory=dict)

    def names(self) -> Iterator[str]:
        """
        Give the names of the sources of the enclosing selects. Those of common tables are no names of sources, and hide
        nothing.
        """
        scope = self.scope
        while scope is not None:
            yield from scope.names
            scope = scope.around.scope


@frozen(eq=False)
class Source:
    """
    A source of a scope.

    Attributes:
        name: Its name within the statement.
        relation: The relation whose columns it has; None for a subquery without one.
        select: The subquery that it is, or None.
        optional: Whether an outer join may leave it without a row.
        collates: Whether its columns compare by the collations that they were declared with.
    """

    name: str
    relation: RelationInfo | None = None
    select: Select | None = None
    optional: bool = False
    collates: bool = True

    def column(self, column: ColumnInfo) -> str:
        """Return the name of one of its columns."""
        return column.name if self.select is None else f"c{column.position}"


class Scope:
    """
    The sources of one select, and where it is.

    Attributes:
        groups: What its groups have one value of, from where there are groups instead of rows.
        marked: Tokens of the relations whose rows have a mark.
    """

    __slots__ = ("around", "dialect", "excluded", "groups", "marked", "names", "qualified", "sources")

    def __init__(self, dialect: Dialect, around: Around, *, qualified: bool, excluded: bool = False) -> None:
        self.dialect = dialect
        self.around = around
        self.qualified = qualified or dialect.qualified
        self.excluded = excluded
        self.sources: list[Source] = []
        self.names: set[str] = set()
        self.groups: Groups | None = None
        self.marked: frozenset[str] = frozenset()

    def add(
        self, wanted: str, relation: RelationInfo | None = None, select: Select | None = None, *, collates: bool = True
    ) -> str:
        """
        Add a source and return its name, which is the one wanted unless that is taken here or around.

        Raises:
            QueryError: The relation is a source already.
        """
        if relation is not None and self._find(relation) is not None:
            raise QueryError(
                f"{described_name(relation)} is read twice by one select",
                hint=f"give one of them a name: {relation.original.__name__}.named('other')",
            )
        name = self._free(wanted)
        self.sources.append(Source(name, relation, select, collates=collates))
        self.names.add(name)
        return name

    def make_optional(self, *, last: bool, others: bool) -> None:
        """Say that an outer join may leave the last source, or all the others, without a row."""
        from_, to = (0 if others else len(self.sources) - 1), (len(self.sources) if last else len(self.sources) - 1)
        for index in range(from_, to):
            old = self.sources[index]
            self.sources[index] = Source(old.name, old.relation, old.select, True, old.collates)

    def column(self, attribute: Attribute[Any, Any]) -> str:
        """
        Return the text of a column of this scope.

        Raises:
            NotJoined: Its relation is not a source.
        """
        relation = info(attribute.relation)
        source = self._find(relation)
        if source is not None:
            return self._named(source, source.column(attribute.column))
        for each in self.sources:
            position = None if each.select is None else selected(each.select, attribute, [])
            if position is not None:
                return self._named(each, f"c{position}")
        raise self._not_joined(attribute)

    def present(self, token: str) -> str:
        """Return the text of the mark that the rows of a relation have."""
        source = next(each for each in self.sources if each.relation is not None and each.relation.token == token)
        return self.dialect.name_of(source.name, MARK)

    def name_of(self, relation: RelationInfo) -> str:
        """
        Return the name that a relation has here.

        Raises:
            QueryError: It is not a source.
        """
        source = self._find(relation)
        if source is None:
            raise QueryError(
                f"{described_name(relation)} is locked and not read by the query",
                hint=f"join it: .join({described_name(relation)}, on=…)",
            )
        return source.name

    def outer(self, attribute: Attribute[Any, Any]) -> str:
        """
        Return the text of a column of the nearest enclosing scope that has it.

        Raises:
            QueryError: This is no subquery.
            NotJoined: No enclosing scope has it.
        """
        relation = info(attribute.relation)
        scope = self.around.scope
        if scope is None:
            raise QueryError(
                f"outer({relation.original.__name__}.{attribute.column.attribute}) stands outside of a subquery",
                hint="leave outer(...) away, or use the query in exists(...), scalar(...) or in_(...)",
            )
        while scope is not None:
            source = scope._find(relation)
            if source is not None:
                if scope.groups is not None:
                    scope.groups.require(attribute)
                return self.dialect.name_of(source.name, source.column(attribute.column))
            scope = scope.around.scope
        enclosing = self.around.scope
        assert enclosing is not None
        raise enclosing._not_joined(attribute)

    def output(self, position: int) -> str:
        """Return the text of a column of the subquery that this scope reads from, by position."""
        for each in self.sources:
            if each.select is not None:
                return self._named(each, f"c{position}")
        raise QueryError(f"output {position} of a subquery is read where there is none")

    def is_optional(self, attribute: Attribute[Any, Any]) -> bool:
        """Whether an outer join may make a column NULL."""
        source = self._find(info(attribute.relation))
        return source is not None and source.optional

    def collates(self, attribute: Attribute[Any, Any]) -> bool:
        """Whether a column compares by the collation that it was declared with."""
        scope: Scope | None = self
        while scope is not None:
            source = scope._find(info(attribute.relation))
            if source is not None:
                return source.collates
            scope = scope.around.scope
        return True

    def _find(self, relation: RelationInfo) -> Source | None:
        return next(
            (each for each in self.sources if each.relation is not None and each.relation.token == relation.token), None
        )

    def _named(self, source: Source, column: str) -> str:
        return self.dialect.name_of(source.name, column) if self.qualified else self.dialect.name_of(column)

    def _free(self, wanted: str) -> str:
        taken = {each.lower() for each in (*self.names, *self.around.names())}
        name, number = wanted, 0
        while name.lower() in taken:
            number += 1
            name = f"{wanted}_{number}"
        return name

    def _not_joined(self, attribute: Attribute[Any, Any]) -> NotJoined:
        enclosing = self.around.scope
        return not_joined(attribute, self._read(), enclosing=() if enclosing is None else enclosing._read())

    def _read(self) -> list[RelationInfo]:
        return [each.relation for each in self.sources if each.relation is not None]


def place_of(attribute: Attribute[Any, Any]) -> Place:
    """Return a column as messages name it."""
    return Place(
        info(attribute.relation).original.__name__, attribute.column.attribute, attribute.column.options.sensitive
    )


def selected(select: Select, node: Expr[Any, Any], pairs: Pairs) -> int | None:
    """
    Return the position at which a select gives an expression, itself or through the subquery that it reads from; None
    where it does not. Parameters that must then be equal are added to `pairs`.
    """
    for position, item in enumerate(select.items):
        if _same(item, node):
            pairs.extend(zip(slots(item), slots(node), strict=True))
            return position
    if not isinstance(select.source, FromSelect):
        return None
    inner = selected(select.source.select, node, pairs)
    output = None if inner is None else f"output:{inner}()"
    return next((position for position, item in enumerate(select.items) if item.key == output), None)


def _same(left: Expr[Any, Any], right: Expr[Any, Any]) -> bool:
    if isinstance(left, Attribute) and isinstance(right, Attribute):
        return (
            left.column.attribute == right.column.attribute and info(left.relation).token == info(right.relation).token
        )
    return not is_open(left) and shape(left) == shape(right)
