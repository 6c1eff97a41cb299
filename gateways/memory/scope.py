"""
Where an expression finds its columns.

Sources of a select go in, in order; for a column, the path that leads to it in a row comes out. Stages that come after
the sources (groups, windows) have scopes of their own, whose rows contain those before.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from attrs import field, frozen

from gateways.memory.computing import Compilation, Path
from mapper.errors import NotJoined, QueryError
from mapper.expressions import Attribute, Call, Expr, Subquery
from mapper.relation import info
from mapper.statements import Select
from mapper.terms import Excluded

__all__ = [
    "Scope",
    "SourceColumns",
    "described",
    "has_subquery",
    "identity",
    "not_joined",
    "of_relation",
    "of_select",
    "outer_place",
    "shape",
    "slots",
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
        """Return the path to a value that the row has already, or None where it must be computed."""
        match expression:
            case Attribute():
                return self.column(expression)
            case Call() if expression.name.startswith("output:"):
                return self._path(0, int(expression.name.removeprefix("output:")))
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
        column = f"{described(attribute.relation)}.{attribute.column.attribute}"
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
    name, column = described(attribute.relation), f"{described(attribute.relation)}.{attribute.column.attribute}"
    known = [described(each.relation) for each in scope.sources if each.relation is not None]
    message = f"column {column} is not among the sources: the query reads from {', '.join(known) or 'no relation'}"
    if scope.parent is not None and scope.parent.place(attribute) is not None:
        hint = f"it is a column of the enclosing query: write outer({column})"
    else:
        hint = f"join it: .join({name}, on=…)" if known else f"say what is read: .from_({name})"
    return NotJoined(message, relation=info(attribute.relation).original, hint=hint)


def described(relation: Any) -> str:
    """Return a relation, or an alias of one, as the user wrote it."""
    of = info(relation)
    name: str = of.original.__name__
    return name if of.alias is None else f"{name}.named({of.alias!r})"


def shape(expression: Expr[Any, Any]) -> str:
    """Return an expression's key without the numbers of its parameters: equal for the same text with other values."""
    return _NUMBERS.sub("$", expression.key).replace("?", "")


def identity(expression: Expr[Any, Any]) -> object:
    """
    Return what is equal for two expressions that always have the same value. Keys of subqueries do not number their
    parameters.
    """
    return expression if has_subquery(expression) else expression.key


def has_subquery(expression: Expr[Any, Any]) -> bool:
    """Return whether a subquery is anywhere in an expression."""
    return isinstance(expression, Subquery) or any([has_subquery(each) for each in expression.children])


def slots(expression: Expr[Any, Any]) -> list[int]:
    """Return the numbers of an expression's parameters, in order."""
    return [int(each) for each in re.findall(r"\$(\d+)", expression.key)]


_NUMBERS: Final = re.compile(r"\$\d+")
