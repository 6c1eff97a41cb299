"""
Where an expression finds its columns.

Sources of a select go in, in order; for a column, the path that leads to it in a row comes out. Stages that come after
the sources (groups, windows) have scopes of their own, whose rows contain those before.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import field, frozen

from gateways.memory.computing import Compilation, Path
from gateways.sql.shapes import has_subquery
from mapper import advice
from mapper.errors import NotJoined, QueryError
from mapper.expressions import Attribute, Call, Expr
from mapper.relation import RelationInfo, described_name, info
from mapper.statements import Select
from mapper.terms import Excluded, Present

__all__ = [
    "Scope",
    "SourceColumns",
    "identity",
    "not_joined",
    "of_relation",
    "of_select",
    "outer_place",
]


@frozen(eq=False)
class SourceColumns:
    """
    A source as expressions refer to it.

    Attributes:
        token: What its columns' keys begin with; None where it can be referred to by position only.
        width: How many columns it has.
        relation: The relation whose columns it has, or None.
        selected: Keys of the columns that a subquery selects, with their positions.
    """

    token: str | None
    width: int
    relation: Any = None
    selected: Mapping[str, int] = field(factory=dict)


def of_select(select: Select) -> SourceColumns:
    """Return a subquery as a source: the columns that it selects go by their own names, everything by its position."""
    selected: dict[str, int] = {}
    for position, item in enumerate(select.items):
        if isinstance(item, Attribute):
            selected.setdefault(f"{info(item.relation).token}.{item.column.attribute}", position)
    return SourceColumns(None, len(select.items), selected=selected)


def of_relation(relation: Any) -> SourceColumns:
    """Return a relation, or an alias of one, as a source."""
    described = info(relation)
    return SourceColumns(described.token, len(described.columns), relation)


class Scope:
    """
    The sources of one select.

    Attributes:
        parent: The scope of the enclosing select, at the stage where the subquery is computed.
        level: How many selects enclose this one.
        bare: A row is that of the only source; else it is a tuple of the rows of the sources.
        commons: Common tables that are known here, by relation class.
        incoming: The position of the incoming row, in the update of an upsert.
    """

    __slots__ = ("bare", "commons", "compilation", "incoming", "level", "parent", "sources")

    def __init__(
        self,
        compilation: Compilation,
        sources: Iterable[SourceColumns] = (),
        *,
        parent: "Scope | None" = None,
        bare: bool = False,
        commons: Mapping[Any, Any] | None = None,
        incoming: int | None = None,
    ) -> None:
        self.compilation = compilation
        self.sources = list(sources)
        self.parent = parent
        self.level: int = 0 if parent is None else parent.level + 1
        self.bare = bare
        self.commons: Mapping[Any, Any] = commons if commons is not None else {} if parent is None else parent.commons
        self.incoming = incoming

    def place(self, expression: Expr[Any, Any]) -> Path | None:
        """
        Return the path to a value that the row has already, or None where it must be computed. That of a mark leads to
        the row which it is of.
        """
        match expression:
            case Attribute():
                return self.column(expression)
            case Call() if expression.name.startswith("output:"):
                return self._path(0, int(expression.name.removeprefix("output:")))
            case Present() if not self.bare:
                tokens = [each.token for each in self.sources]
                return (tokens.index(expression.token),)
            case Excluded() if self.incoming is not None:
                return (self.incoming, expression.attribute.column.position)
            case _:
                return None

    def column(self, attribute: Attribute[Any, Any]) -> Path | None:
        """Return the path to a column, or None where its relation is not a source."""
        token = info(attribute.relation).token
        for index, source in enumerate(self.sources):
            if source.token == token:
                return self._path(index, attribute.column.position)
        key = f"{token}.{attribute.column.attribute}"
        for index, source in enumerate(self.sources):
            if key in source.selected:
                return self._path(index, source.selected[key])
        return None

    def same_level(self, sources: Iterable[SourceColumns], *, bare: bool) -> "Scope":
        """Return the scope of other sources in the same place."""
        return Scope(self.compilation, sources, parent=self.parent, bare=bare, commons=self.commons)

    def _path(self, source: int, column: int) -> Path:
        return (column,) if self.bare else (source, column)


def outer_place(scope: Scope, attribute: Attribute[Any, Any]) -> tuple[int, Path]:
    """
    Return the level of the enclosing select that has a column, and the path in its row.

    Raises:
        QueryError: This is no subquery.
        NotJoined: None has it.
    """
    enclosing = scope.parent
    if enclosing is None:
        column = f"{described_name(info(attribute.relation))}.{attribute.column.attribute}"
        raise QueryError(
            f"outer({column}) stands outside of a subquery",
            hint="leave outer(...) away, or use the query in exists(...), scalar(...) or in_(...)",
        )
    while enclosing is not None:
        path = enclosing.place(attribute)
        if path is not None:
            return enclosing.level, path
        enclosing = enclosing.parent
    raise not_joined(attribute, scope.parent or scope)


def not_joined(attribute: Attribute[Any, Any], scope: Scope) -> NotJoined:
    """Return the error of a column whose relation is not a source."""
    return advice.not_joined(attribute, _read(scope), enclosing=() if scope.parent is None else _read(scope.parent))


def _read(scope: Scope) -> list[RelationInfo]:
    return [info(each.relation) for each in scope.sources if each.relation is not None]


def identity(expression: Expr[Any, Any]) -> object:
    """
    Return what is equal for two expressions that always have the same value. Keys of subqueries do not number their
    parameters.
    """
    return expression if has_subquery(expression) else expression.key
