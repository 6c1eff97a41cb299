"""
Indexes and constraints that only PostgreSQL has: `PostgresIndex` and `Exclusion`.

They stand in `indexes=[…]` of a relation. Another gateway refuses them before anything is sent.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, LiteralString, TypeAlias

from attrs import field, frozen

from gateways.postgres.columns import named
from gateways.postgres.literals import literal
from gateways.sql.declarations import IndexText, TableWriter
from mapper.columns import Constraint, Index, IndexTerm
from mapper.errors import DeclarationError

if TYPE_CHECKING:
    from mapper.expressions import Expr

__all__ = ["Exclusion", "IndexMethod", "PostgresIndex", "exclusion_text", "index_text"]

IndexMethod: TypeAlias = Literal["btree", "hash", "gin", "gist", "spgist", "brin"]

Setting: TypeAlias = str | int | float | bool


@frozen(init=False)
class PostgresIndex(Index):
    """
    An index with what PostgreSQL has beyond `mapper.Index`:
    `PostgresIndex("title", method="gin", opclass="gin_trgm_ops")`.

    Attributes:
        include: Columns, by attribute name, whose values the index has without being over them.
        opclasses: By the position of a term, the operator class that it has, as SQL; given as `opclass=`, one for all
            terms or by attribute name or position.
        nulls_distinct: Whether rows of a unique index may be equal where a value is NULL.
        options: Storage parameters, such as `{"fillfactor": 70}` or `{"pages_per_range": 32}`.
    """

    include: tuple[str, ...] = ()
    opclasses: tuple[tuple[int, str], ...] = ()
    nulls_distinct: bool = True
    options: tuple[tuple[str, Setting], ...] = ()

    def __init__(
        self,
        *terms: IndexTerm,
        name: str | None = None,
        unique: bool = False,
        where: "LiteralString | Callable[[], Expr[bool, Any]] | None" = None,
        method: IndexMethod | None = None,
        include: Sequence[str] = (),
        opclass: LiteralString | Mapping[str, LiteralString] | Mapping[int, LiteralString] | None = None,
        nulls_distinct: bool = True,
        options: Mapping[str, Setting] | None = None,
    ) -> None:
        plain = Index(*terms, name=name, unique=unique, where=where, method=method)
        if not nulls_distinct and not unique:
            raise DeclarationError("nulls_distinct=False of an index that is not unique", hint="add unique=True")
        self.__attrs_init__(  # pyright: ignore[reportAttributeAccessIssue]  # attrs makes it
            plain.terms,
            plain.columns,
            name,
            unique,
            where,
            method,
            tuple(include),
            tuple(_by_position(terms, opclass)),
            nulls_distinct,
            tuple((options or {}).items()),
        )

    @property
    def mentioned(self) -> tuple[str, ...]:
        """Every column that it names, by attribute name."""
        return (*super().mentioned, *self.include)


def _by_position(terms: Sequence[IndexTerm], opclass: str | Mapping[Any, str] | None) -> list[tuple[int, str]]:
    if opclass is None:
        return []
    if isinstance(opclass, str):
        return [(position, opclass) for position in range(len(terms))]
    positions = {each: position for position, each in enumerate(terms) if isinstance(each, str)}
    found: list[tuple[int, str]] = []
    for each, name in opclass.items():
        position = positions.get(each) if isinstance(each, str) else each
        if position is None or not 0 <= position < len(terms):
            raise DeclarationError(
                f"opclass names {each!r}, which the index is not over",
                hint="name one of its columns, or the position of a term, from 0",
            )
        found.append((position, name))
    return sorted(found)


@frozen(init=False)
class Exclusion(Constraint):
    """
    No two rows for which all the operators hold: `Exclusion(("room_id", "="), ("during", "&&"))` lets no room be taken
    twice at a time.

    A row that is refused raises `ExclusionViolation`. Equality beside a range needs the extension `btree_gist`.

    Attributes:
        elements: Pairs of a column, by attribute name (or a function that gives an expression), and an operator.
        method: The kind of index that finds such rows.
        where: The rows that it holds for: SQL over column names, or a function that gives a condition. None is all.
    """

    elements: tuple[tuple[IndexTerm, str], ...]
    method: IndexMethod = "gist"
    where: "str | Callable[[], Expr[bool, Any]] | None" = field(default=None)

    def __init__(
        self,
        *elements: tuple[IndexTerm, LiteralString],
        name: str | None = None,
        method: IndexMethod = "gist",
        where: "LiteralString | Callable[[], Expr[bool, Any]] | None" = None,
    ) -> None:
        if not elements or not all(isinstance(each, tuple) and len(each) == 2 for each in elements):
            raise DeclarationError(
                f"Exclusion is over {elements!r}, expected pairs of a column and an operator",
                hint='write Exclusion(("room_id", "="), ("during", "&&"))',
            )
        self.__attrs_init__(elements, method, where, name=name)  # pyright: ignore[reportAttributeAccessIssue]  # attrs makes it

    @property
    def mentioned(self) -> tuple[str, ...]:
        """Every column that it names, by attribute name."""
        return tuple([term for term, _ in self.elements if isinstance(term, str)])


def index_text(index: Index, table: TableWriter) -> IndexText | None:
    """Return the parts of an index that a plain one does not have; None of an index of another gateway."""
    if type(index) is Index:
        return IndexText()
    if not isinstance(index, PostgresIndex):
        return None
    classes = dict(index.opclasses)
    suffixes = [f" {classes[each]}" if each in classes else "" for each in range(len(index.terms))]
    behind = [
        f" INCLUDE ({', '.join([table.column_name(each) for each in index.include])})" if index.include else "",
        "" if index.nulls_distinct else " NULLS NOT DISTINCT",
        settings_text(index.options),
    ]
    return IndexText(tuple(suffixes) if classes else (), "".join(behind))


def settings_text(options: Sequence[tuple[str, Setting]]) -> str:
    """Return storage parameters as they stand behind an index or a table."""
    if not options:
        return ""
    return f" WITH ({', '.join([f'{named(name)} = {_setting(value)}' for name, value in options])})"


def _setting(value: Setting) -> str:
    return str(value).lower() if isinstance(value, int | float) else literal(value)


def exclusion_text(exclusion: Exclusion, table: TableWriter) -> str:
    """Return an exclusion constraint, behind its name."""
    over = ", ".join([f"{table.term(term)} WITH {operator}" for term, operator in exclusion.elements])
    where = "" if exclusion.where is None else f" WHERE ({table.condition(exclusion.where)})"
    return f"EXCLUDE USING {exclusion.method} ({over}){where}"
