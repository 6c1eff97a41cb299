"""
Traversal: the method of a query that goes on from its rows to those that a path of relationships leads to.

A query and a path go in; a query of the rows at the end of the path comes out, each of them once. It asks for rows whose
keys are among those that the step before gives, so that nothing is joined and nothing has to be made distinct.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise
from types import new_class
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, overload

from attrs import evolve, frozen
from typing_extensions import TypeVar

from mapper.assembly import walk
from mapper.columns import Column, column
from mapper.errors import QueryError
from mapper.expressions import Attribute, Expr
from mapper.items import maybe
from mapper.projection import ExprItem, ModelItem, Projection
from mapper.rebinding import column_of
from mapper.relation import CommonTable, described_name, info
from mapper.relationships import Leading, Related, walked
from mapper.walking import among, every, first_of, held, is_first, key_of, named, source_of, subquery, surely, tied
from mapper.ways import Hop, RelationshipInfo

if TYPE_CHECKING:
    from mapper.query import Query

__all__ = ["Traversals", "traversed"]

T_co = TypeVar("T_co", covariant=True)
M = TypeVar("M")
R = TypeVar("R", default=Any)
R2 = TypeVar("R2")
R3 = TypeVar("R3")
R4 = TypeVar("R4")
R5 = TypeVar("R5")

Given: TypeAlias = "Callable[[Sequence[Expr[Any, Any]]], Query[Any, Any]]"
"""Makes a query of items of the rows that a step starts from."""

Begin: TypeAlias = "Callable[[Projection, Any], Query[Any, Any]]"
"""Begins a query of items from a relation."""


class Traversals(Generic[T_co, R]):
    """How a query goes on along relationships."""

    __slots__ = ()

    @overload
    def via(self, a: Leading[R, Any, R], /, *, recursive: bool = False) -> "Query[T_co, R]": ...
    @overload
    def via(self, a: Leading[R, M, R2], /, *, recursive: bool = False) -> "Query[M, R | R2]": ...
    @overload
    def via(
        self, a: Related[R, R2, Any], b: Leading[R2, Any, R], /, *, recursive: bool = False
    ) -> "Query[T_co, R | R2]": ...
    @overload
    def via(
        self, a: Related[R, R2, Any], b: Leading[R2, M, R3], /, *, recursive: bool = False
    ) -> "Query[M, R | R2 | R3]": ...
    @overload
    def via(
        self, a: Related[R, R2, Any], b: Related[R2, R3, Any], c: Leading[R3, Any, R], /, *, recursive: bool = False
    ) -> "Query[T_co, R | R2 | R3]": ...
    @overload
    def via(
        self, a: Related[R, R2, Any], b: Related[R2, R3, Any], c: Leading[R3, M, R4], /, *, recursive: bool = False
    ) -> "Query[M, R | R2 | R3 | R4]": ...
    @overload
    def via(
        self,
        a: Related[R, R2, Any],
        b: Related[R2, R3, Any],
        c: Related[R3, R4, Any],
        d: Leading[R4, Any, R],
        /,
        *,
        recursive: bool = False,
    ) -> "Query[T_co, R | R2 | R3 | R4]": ...
    @overload
    def via(
        self,
        a: Related[R, R2, Any],
        b: Related[R2, R3, Any],
        c: Related[R3, R4, Any],
        d: Leading[R4, M, R5],
        /,
        *,
        recursive: bool = False,
    ) -> "Query[M, R | R2 | R3 | R4 | R5]": ...
    def via(self, *path: Any, recursive: bool = False) -> Any:
        """
        Go on from the rows of this query to those that a path of relationships leads to, each of them once.

        `select(Post).from_(Posts).where(…).via(PostComments, CommentAuthor)` gives the users who commented on these
        posts, as models. Where the query selects from the relation at the end of the path, that is what it gives:
        `select(Users.name).from_(Posts).where(…).via(PostComments, CommentAuthor)` gives their names.

        Args:
            path: Relationships, each of which starts where the one before ends.
            recursive: Walk the path again from what it leads to, and so on: of a tree, all that is below, or above.
                A row that is met again is not walked from twice.

        Raises:
            NotJoined: The query does not read the relation that the path starts from.
            QueryError: The path does not hang together, the query has a clause behind which nothing can be walked (a
                group, a set operation, `into`, `combine` …), or it selects something else than models or the end's
                columns.
        """
        return self._traversed(path, recursive=recursive)

    @abstractmethod
    def _traversed(self, path: Sequence[Any], *, recursive: bool) -> "Query[Any, Any]":
        """Return the query of the rows at the end of a path."""


@frozen(eq=False)
class _Path:
    """
    A path that has been looked at.

    Attributes:
        source: The relation that it starts from, as the query reads it.
        target: The relation at its end.
        hops: Its steps.
    """

    source: Any
    target: Any
    hops: tuple[Hop, ...]


def traversed(query: "Query[Any, Any]", path: Sequence[Any], begin: Begin, *, recursive: bool) -> "Query[Any, Any]":
    """Return the query of the rows at the end of a path; see `Traversals.via`."""
    found = _path(query, [walked(each) for each in path])
    _require_rows(query)
    reached = _reached(found, lambda items: _start(query, items, begin), begin)
    if recursive:
        reached = [_again(found, reached, begin)]
    return begin(_projection(query, found.target), found.target).where(*reached)


# -- what is asked for -------------------------------------------------------------------------------------------------


def _path(query: "Query[Any, Any]", ways: Sequence[RelationshipInfo]) -> _Path:
    if not ways:
        raise QueryError("via() of no relationship", hint="name a path: .via(PostComments, CommentAuthor)")
    source = source_of(ways[0], query._relations_read())
    for before, after in pairwise(ways):
        if after.source is not before.target:
            raise QueryError(
                f"{after.relationship.__name__} starts from {after.source.__name__}, "
                f"and {before.relationship.__name__} leads to {before.target.__name__}",
                hint=f"go on with a relationship that starts from {before.target.__name__}",
            )
    return _Path(source, ways[-1].target, tuple([hop for way in ways for hop in way.hops]))


def _require_rows(query: "Query[Any, Any]") -> None:
    """
    Require that a query's rows are those of its sources.

    Raises:
        QueryError: It makes others of them.
    """
    if query._steps:
        raise QueryError("via() behind into, map or combine", hint="say them behind via(): they are about its rows")
    for kind, shown in _ENDS.items():
        if query._has(kind):
            raise QueryError(f"via() behind {shown}", hint="give its keys to a condition: Posts.id.in_(select(…))")
    if query._has("distinct") and query._has("limit", "offset"):
        raise QueryError("via() behind distinct and a limit", hint="leave distinct() away, or limit the keys in in_(…)")


_ENDS: Final = {
    "group_by": "group_by",
    "having": "having",
    "compound": "a set operation",
    "lock": "a row lock",
    "distinct_on": "distinct_on",
}


def _projection(query: "Query[Any, Any]", target: Any) -> Projection:
    """Return what the end's rows are read as: as the query says, or as models where it says nothing of the end."""
    end, items = info(target), query._projection
    only = items.items[0] if len(items.items) == 1 else None
    read = [info(each.relation) for item in items.outputs()[0] for each in walk(item) if isinstance(each, Attribute)]
    known = [*read, *[info(each) for each in query._relations_read()]]
    if not any([each.original is end.original for each in known]):
        if isinstance(only, ModelItem):
            return Projection((ModelItem(target, wrapped=False),))
    elif isinstance(only, ModelItem) and info(only.relation).original is end.original:
        return Projection((evolve(only, relation=target),))
    elif not read or any([each.token == end.token for each in read]):
        return items
    name = target.__name__
    raise QueryError(
        f"via() leads to {name}, and the query selects {', '.join([repr(each) for each in items.outputs()[0]])}",
        hint=f"select what is wanted of {name}: select({name}).from_(…).via(…)",
    )


# -- the rows of a step ------------------------------------------------------------------------------------------------


def _start(query: "Query[Any, Any]", items: Sequence[Expr[Any, Any]], begin: Begin) -> "Query[Any, Any]":
    """Return the query that a path starts from, over these items, which a join may have left without a row."""
    cut = query._has("limit", "offset")
    source = None if query._has("from") else query._projection.first_relation()
    outer = any([each.kind == "join" and each.payload[0] in _OUTER for each in query._clauses()])
    rebuilt = begin(_items([maybe(each) if outer else surely(each) for each in items]), source)
    chain: list[Query[Any, Any]] = []
    each: Query[Any, Any] | None = query
    while each is not None:
        chain.insert(0, each)
        each = each._previous
    for before, each in pairwise(chain):
        if cut or each._clause.kind not in {"order_by", "distinct"}:
            values = query.parameters[len(before.parameters) : len(each.parameters)]
            rebuilt = rebuilt._extended(each._clause, each.key[len(before.key) :], values)
    return rebuilt


def _reached(path: _Path, given: Given, begin: Begin) -> list[Expr[bool, Any]]:
    """
    Return the conditions of the rows at the end of a path; `given` gives items of the rows that it starts from.

    Steps are subqueries in each other. Stores read so many of these only, so that those of a long path are put into
    common tables, one after another.
    """
    before, depth = path.source, 0
    tables: list[tuple[Any, Query[Any, Any]]] = []
    for hop, following in pairwise(path.hops):
        given = _rows(hop.relation, _led_to(hop, before, given), begin)
        before, depth = hop.relation, depth + (3 if hop.first else 1)
        if depth >= DEEP:
            wanted = [column_of(before, each) for each, _ in following.pairs]
            table = _table(before, tuple([each.column.attribute for each in wanted]), len(tables))
            tables.append((table, given(wanted)))
            before, depth, given = table, 0, _rows(table, (), begin)
    return _led_to(path.hops[-1], before, _with(tables, given))


def _rows(relation: Any, conditions: Sequence[Expr[bool, Any]], begin: Begin) -> Given:
    def given(items: Sequence[Expr[Any, Any]]) -> "Query[Any, Any]":
        query = begin(_items([surely(each) for each in items]), relation)
        return query.where(*conditions) if conditions else query

    return given


def _with(tables: "Sequence[tuple[Any, Query[Any, Any]]]", given: Given) -> Given:
    def defined(items: Sequence[Expr[Any, Any]]) -> "Query[Any, Any]":
        query = given(items)
        for table, definition in tables:
            query = query.with_(table, definition)
        return query

    return defined


DEEP: Final = 4
"""How many subqueries in each other are written as such. SQLite reads about twelve."""

_OUTER: Final = frozenset({"left", "right", "full"})


def _led_to(hop: Hop, before: Any, given: Given) -> list[Expr[bool, Any]]:
    """Return the conditions of rows that a step leads to from any of those given."""
    at = hop.relation
    there = [column_of(before, each) for each, _ in hop.pairs]
    here = [column_of(at, each) for _, each in hop.pairs]
    own = key_of(at) if hop.first else ()
    if len(own) == 1:
        first = subquery("scalar", first_of(hop, there), own[0].type, nullable=False)
        return [*among(own, [first], given([first]).as_rows()), *held(hop, at)]
    query = given(there)
    outputs, _ = query._projection.outputs()
    values = [output if output.nullable else each for output, each in zip(outputs, there, strict=True)]
    found = among(here, values, query.as_rows())
    return [*found, *([is_first(hop, own, here)] if own else []), *held(hop, at)]


def _items(expressions: Sequence[Expr[Any, Any]]) -> Projection:
    return Projection(tuple([ExprItem(each) for each in expressions]))


# -- again and again ---------------------------------------------------------------------------------------------------


def _again(path: _Path, reached: Sequence[Expr[bool, Any]], begin: Begin) -> Expr[bool, Any]:
    """Return the condition of the rows that are reached, or reached from these."""
    target = path.target
    if info(path.source).original is not info(target).original:
        raise QueryError(
            f"a recursive path from {described_name(info(path.source))} leads to {target.__name__}",
            hint="end it where it starts",
        )
    keys = key_of(target)
    columns = dict.fromkeys([*keys, *[column_of(target, before) for before, _ in path.hops[0].pairs]])
    table = _table(target, tuple([each.column.attribute for each in columns]), AGAIN)
    step = begin(_items(tuple(columns)), table)
    before = table
    for hop, at in zip(path.hops, named(path.hops), strict=True):
        step = step.join(at, on=every(tied(hop, before, at)))
        before = at
    definition = begin(_items(tuple(columns)), target).where(*reached).union(step)
    found = begin(_items([column_of(table, each) for each in keys]), table)
    (reached_,) = among(keys, keys, found.with_(table, definition, recursive=True).as_rows())
    return reached_


AGAIN: Final = -1
"""The number of the common table of a recursive path, beside those of its steps."""


@lru_cache(maxsize=256)
def _table(relation: Any, columns: tuple[str, ...], number: int) -> Any:
    """Make a common table of some of a relation's columns; one query may have several such tables, by number."""
    del number
    attributes = info(relation).attributes
    annotated: Any = Column
    body: dict[str, Any] = {name: column(type=attributes[name].type) for name in columns}
    body["__annotations__"] = {name: annotated[attributes[name].column.annotation] for name in columns}
    body["__module__"] = __name__
    return new_class("Reached", (CommonTable,), {}, lambda names: names.update(body))
