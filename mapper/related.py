"""
Related rows: which rows a relationship leads to from some owners, as a query.

A relationship and a query of the rows at its end go in; out comes a template, which takes the owners' keys and gives
the query of what belongs to them, with the key of the owner beside each row. And a query of owners goes in, and one
that gives their keys too comes out.
"""

from collections.abc import Callable, Sequence
from copy import copy
from functools import lru_cache
from types import new_class
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from weakref import WeakKeyDictionary

from attrs import evolve, frozen

from mapper.assembly import Clause
from mapper.columns import Column, column
from mapper.errors import QueryError
from mapper.expressions import Attribute, Expr, RowValue
from mapper.functions import Aggregate, Window
from mapper.projection import ExprItem, Projection
from mapper.rebinding import column_of, names, rebound
from mapper.relation import CommonTable, RelationInfo, info
from mapper.relationships import walked
from mapper.walking import every, held, is_first, key_of, named, source_of, tied
from mapper.ways import RelationshipInfo

if TYPE_CHECKING:
    from mapper.gateway import Gateway
    from mapper.query import Query

__all__ = ["Template", "keyed_rows", "require_end", "route", "template_of"]

Keys: TypeAlias = tuple[Attribute[Any, Any], ...]

Places: TypeAlias = tuple[tuple[int, ...], ...]
"""Positions among the outputs of a query, in groups: one group for each key."""

LIMIT: Final = 1024
"""How many templates are kept, and how many places of keys."""


@frozen(eq=False)
class Template:
    """
    How the rows of a relationship are read.

    Attributes:
        query: The related rows of all owners with certain keys. These are its last parameters, a list for each column.
        places: Among its outputs, where it has the owner's key, and then the keys for its own combinations.
        reads: Of a template that is kept, for each gateway that is known to run it, the relations that it reads there.
    """

    query: "Query[Any, Any]"
    places: Places
    reads: "WeakKeyDictionary[Gateway, frozenset[Any]] | None" = None

    @property
    def width(self) -> int:
        """How many columns an owner's key has."""
        return len(self.places[0])

    def filled(self, keys: Sequence[Any]) -> "Query[Any, Any]":
        """Return the query of the rows of these owners."""
        width = self.width
        lists = (list(keys),) if width == 1 else tuple([[each[index] for each in keys] for index in range(width)])
        return self.query.with_parameters((*self.query.parameters[:-width], *lists))


def template_of(relationship: Any, query: "Query[Any, Any]", through: "tuple[Any, Query[Any, Any]] | None") -> Template:
    """
    Return how the rows of a relationship are read.

    Args:
        relationship: The class.
        query: Which related rows, as what. What has neither values nor functions of the user's, as the query of all of
            them has not, is planned once.
        through: As of `route`, where the way has steps that may lead to one row more than once.
    """
    if query.parameters or query._steps:
        return _template(relationship, query, through)
    key = (relationship, query.key, query._projection.key)
    known = _known.get(key)
    if known is None:
        if len(_known) >= LIMIT:
            _known.pop(next(iter(_known)), None)
        known = evolve(_template(relationship, query, through), reads=WeakKeyDictionary())
        _known[key] = known
    return known


_known: Final[dict[Any, Template]] = {}


def _template(relationship: Any, query: "Query[Any, Any]", through: "tuple[Any, Query[Any, Any]] | None") -> Template:
    way = walked(relationship)
    last, at = way.hops[-1], query._primary()
    query = _ordered(query.where(*_fulfilled(way, at)), way, at)
    ends = [column_of(at.relation, after) for _, after in last.pairs]
    link: Keys = tuple(ends)
    if len(way.hops) == 1:
        query = _first_only(query, way, at, link).where(_among(link, ()))
    elif through is not None:
        table, definition = through
        columns = tuple(info(table).attributes.values())
        link, end = columns[: len(way.hops[0].pairs)], columns[len(way.hops[0].pairs) :]
        start = definition._projection.outputs()[0][: len(link)]
        joined = query.join(table, on=_equal(list(zip(end, ends, strict=True))))
        query = joined.with_(table, definition.where(_among(start, ())))
    else:
        between = named(way.hops, [info(each).token for each in query._relations_read()], at.relation)[0]
        pairs = [(column_of(between, before), end) for (before, _), end in zip(last.pairs, ends, strict=True)]
        link = tuple([column_of(between, after) for _, after in way.hops[0].pairs])
        query = query.join(between, on=_equal(pairs)).where(_among(link, ()))
    if query._has("group_by") or counts_rows(query):
        query = query.group_by(*link)
    found, places = _extended(query, (link, *_owner_keys(query)), related=True)
    if query._has("limit", "offset"):
        found = found._extended(Clause("per_owner", payload=places[0]), f"|per owner {places[0]}", ())
    return Template(query._with_steps_of(found), places)


def _fulfilled(way: RelationshipInfo, at: RelationInfo) -> list[Expr[bool, Any]]:
    """Return what the rows at the end of a way must fulfil."""
    last = way.hops[-1]
    if last.first and way.many:
        here = [column_of(at.relation, after) for _, after in last.pairs]
        return [is_first(last, key_of(at.relation), here), *held(last, at.relation)]
    return [rebound(each, names(last.relation, at.relation)) for each in last.where]


def require_end(way: RelationshipInfo, query: "Query[Any, Any]") -> None:
    """
    Require that a query reads the rows that a relationship leads to.

    Raises:
        QueryError: It reads from another relation, or is a set operation or one of distinct_on.
    """
    at = query._primary()
    if at.original is not info(way.target).original:
        raise QueryError(
            f"{way.relationship.__name__} leads to {way.target.__name__}, and the query reads {at.original.__name__}",
            hint=f"begin it with {way.target.__name__}",
        )
    if query._has("compound"):
        raise QueryError(
            "combine takes no set operation", hint="combine each side, or put the conditions into one where(...)"
        )
    if query._has("distinct_on"):
        raise QueryError(
            "combine takes no distinct_on, whose rows would be those of all owners together",
            hint="order the related rows and limit them, which holds for each owner",
        )


def _ordered(query: "Query[Any, Any]", way: RelationshipInfo, at: RelationInfo) -> "Query[Any, Any]":
    """Give related rows an order: their own, that of the relationship, or that of their keys."""
    if query._has("order_by"):
        return query
    to = names(way.target, at.relation)

    def onto(expression: Expr[Any, Any]) -> Expr[Any, Any]:
        return rebound(expression, to)

    if way.order:
        return query.order_by(*[each.mapped(onto) for each in way.order])
    if query._has("distinct", "distinct_on", "group_by") or counts_rows(query):
        return query
    return query.order_by(*[at.attributes[each.attribute] for each in at.primary_key])


def _first_only(query: "Query[Any, Any]", way: RelationshipInfo, at: RelationInfo, link: Keys) -> "Query[Any, Any]":
    """Read one row for each owner of a relationship to one, unless there cannot be more."""
    names = frozenset(each.column.attribute for each in link)
    unique = names == at.key_columns or any(names == frozenset(each.columns) for each in at.uniques)
    return query if way.many or unique or query._has("limit") else query.limit(1)


@lru_cache(maxsize=1024)
def route(
    way: RelationshipInfo, begin: "Callable[[Projection, Any], Query[Any, Any]]"
) -> "tuple[Any, Query[Any, Any]]":
    """
    Return a common table of the pairs that a way of several steps leads through, each once, and its definition: the
    columns in which the first step holds the owner's key, and those of the last but one that refer to the target.
    """
    hops = way.hops[:-1]
    read = named(hops)
    start = [column_of(read[0], after) for _, after in hops[0].pairs]
    end = [column_of(read[-1], before) for before, _ in way.hops[-1].pairs]
    query = begin(Projection(tuple([ExprItem(each) for each in (*start, *end)])), read[0])
    if hops[0].first:
        query = query.where(is_first(hops[0], key_of(read[0]), start))
    query = query.where(*held(hops[0], read[0]))
    for hop, before, at in zip(hops[1:], read[:-1], read[1:], strict=True):
        query = query.join(at, on=every(tied(hop, before, at)))
    return _table(way, (*start, *end)), query.distinct()


def _table(way: RelationshipInfo, columns: Keys) -> Any:
    """Make a common table with columns of these types."""
    names = [f"c{index}" for index in range(len(columns))]
    body: dict[str, Any] = {name: column(type=each.type) for name, each in zip(names, columns, strict=True)}
    annotated: Any = Column
    body["__annotations__"] = {
        name: annotated[each.column.annotation] for name, each in zip(names, columns, strict=True)
    }
    body["__module__"] = __name__
    return new_class(f"{way.relationship.__name__}Route", (CommonTable,), {}, lambda names_: names_.update(body))


def _equal(pairs: Sequence[tuple[Expr[Any, Any], Expr[Any, Any]]]) -> Expr[bool, Any]:
    condition: Expr[bool, Any] = pairs[0][0] == pairs[0][1]
    for left, right in pairs[1:]:
        condition = condition & (left == right)
    return condition


def _among(link: Sequence[Expr[Any, Any]], keys: Sequence[Any]) -> Expr[bool, Any]:
    item: Expr[Any, Any] = link[0] if len(link) == 1 else RowValue(link)
    return item.in_(keys)


def counts_rows(query: "Query[Any, Any]") -> bool:
    """Whether a query's items aggregate its rows."""
    waiting = list(query._projection.outputs()[0])
    while waiting:
        each = waiting.pop()
        if isinstance(each, Aggregate):
            return True
        waiting.extend(each.partition_by if isinstance(each, Window) else each.children)
    return False


# -- keys beside rows --------------------------------------------------------------------------------------------------


def keyed_rows(
    query: "Query[Any, Any]", wanted: Sequence[Sequence[Expr[Any, Any]]]
) -> "tuple[Query[Any, Any], Places]":
    """
    Return a query with further expressions, and with the keys for its combinations, among its outputs, and where.

    Args:
        wanted: The expressions, in groups.

    Raises:
        QueryError: The rows would be others with a key among them.
        NotJoined: A relationship starts from what is not read.
    """
    if wanted:
        return _extended(query, (*wanted, *_owner_keys(query)), related=False)
    key = (query.key, query._projection.key, *[each.relationship for kind, each in query._steps if kind == "combine"])
    known = _known_places.get(key)
    if known is not None:
        return query, known
    found, places = _extended(query, _owner_keys(query), related=False)
    if found is query:  # all keys are there already
        if len(_known_places) >= LIMIT:
            _known_places.pop(next(iter(_known_places)), None)
        _known_places[key] = places
    return found, places


_known_places: Final[dict[Any, Places]] = {}


def _owner_keys(query: "Query[Any, Any]") -> list[Keys]:
    """Return the columns of a query that hold what its combinations refer to, for each of them."""
    ways = [walked(each.relationship) for kind, each in query._steps if kind == "combine"]
    if not ways:
        return []
    read = query._relations_read()
    return [tuple([column_of(source_of(way, read), before) for before, _ in way.hops[0].pairs]) for way in ways]


def _extended(
    query: "Query[Any, Any]", groups: Sequence[Sequence[Expr[Any, Any]]], *, related: bool
) -> "tuple[Query[Any, Any], Places]":
    """
    Return the query with these expressions among its outputs, and the positions at which they are.

    Args:
        related: These are related rows, and the first group is their owner's key, so that what makes rows distinct
            does so for each owner.
    """
    expressions, _ = query._projection.outputs()
    known = {each.key: position for position, each in enumerate(expressions) if isinstance(each, Attribute)}
    hidden: list[ExprItem] = []
    places: list[tuple[int, ...]] = []
    for group in groups:
        for each in group:
            if each.key not in known:
                known[each.key] = len(expressions) + len(hidden)
                hidden.append(ExprItem(_nullable(each)))
        places.append(tuple([known[each.key] for each in group]))
    if not hidden:
        return query, tuple(places)
    if not related:
        _refuse_hidden(query, hidden)
    items = Projection((*query._projection.items, *hidden), hidden=len(hidden))
    found = query._replayed(items)
    if len(found.parameters) == len(query.parameters):
        found = found.with_parameters(query.parameters)  # its own: those of the items may be places of values
    return found, tuple(places)


def _nullable(expression: Expr[Any, Any]) -> Expr[Any, Any]:
    """Return an expression that an outer join may leave without a value."""
    twin = copy(expression)
    twin.nullable = True
    return twin


def _refuse_hidden(query: "Query[Any, Any]", hidden: Sequence[ExprItem]) -> None:
    """
    Refuse to select a key beside rows that it would tell apart.

    Raises:
        QueryError: The query gives distinct rows, groups without the key, or a set operation.
    """
    grouped = {term.key for clause in query._clauses() if clause.kind == "group_by" for term in clause.values}
    missing = [each.expression for each in hidden if each.expression.key not in grouped]
    if query._has("distinct", "distinct_on", "compound") or (query._has("group_by") and missing):
        named = ", ".join([repr(each.expression) for each in hidden])
        raise QueryError(
            f"combine needs {named}, which these distinct or grouped rows do not have",
            hint=f"select {named} too, or group by it",
        )
