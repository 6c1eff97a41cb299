"""
Combining: rows grow by the rows that relationships lead to, without a query for each.

A query with combinations goes in; a plan comes out: its own read, which gives the owners' keys beside each row, and for
each combination how the related rows of a set of keys are read. One read serves all owners of a batch, and what it
gives is dealt out by key, so that the work is in proportion to owners and related rows.
"""

from collections.abc import Awaitable, Callable, Sequence
from copy import copy
from functools import lru_cache
from itertools import starmap
from types import new_class
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio
from attrs import field, frozen

from mapper.assembly import Clause
from mapper.columns import Column, column
from mapper.errors import QueryError
from mapper.expressions import Attribute, Expr, RowValue
from mapper.functions import Aggregate, Window
from mapper.gateway import Batches, Decode, Executor
from mapper.operations import Operation
from mapper.projection import ExprItem, Projection, keyed_decoder
from mapper.rebinding import column_of, names, rebound
from mapper.relation import CommonTable, RelationInfo, info
from mapper.relationships import walked
from mapper.stores import Stores
from mapper.walking import every, held, is_first, key_of, named, source_of, tied
from mapper.ways import RelationshipInfo

if TYPE_CHECKING:
    from mapper.query import Query

__all__ = ["Branch", "Combination", "Combined", "CombinedBatches", "combined", "keyed", "require_end", "route"]

Fetch: TypeAlias = Callable[[Operation, Decode[Any]], Awaitable[list[Any]]]
Keys: TypeAlias = tuple[Attribute[Any, Any], ...]


@frozen
class Combination:
    """
    What a query's rows grow by.

    Attributes:
        relationship: The class of the relationship.
        query: Which related rows, as what.
        through: As of `route`, where the way has steps that may lead to one row more than once.
    """

    relationship: Any
    query: "Query[Any, Any]"
    through: "tuple[Any, Query[Any, Any]] | None" = field(default=None, eq=False, repr=False)


@frozen(eq=False)
class Branch:
    """
    One combination of a plan.

    Attributes:
        way: The relationship.
        place: Where a decoded row has its owner's key.
        base: The related rows of all owners, with the columns of `link` within reach.
        link: The columns in which they hold the owner's key.
        through: The common table that `base` joins, and its definition; None where the way has no such step.
    """

    way: RelationshipInfo
    place: int
    base: "Query[Any, Any]"
    link: Keys
    through: "tuple[Any, Query[Any, Any]] | None" = None

    def keys(self, rows: Sequence[Any]) -> list[Any]:
        """Return the keys of these rows, each once; NULL, and a key of which a part is NULL, lead nowhere."""
        keys = dict.fromkeys([row[self.place] for row in rows])
        return [each for each in keys if not (each is None or (type(each) is tuple and None in each))]

    def planned(self, keys: Sequence[Any], executor: Executor) -> "Combined":
        """Plan the read of the rows related to owners with these keys; a decoded row has the owner's key at 1."""
        if self.through is None:
            query = self.base.where(_among(self.link, keys))
        else:
            table, definition = self.through
            start = definition._projection.outputs()[0][: len(self.link)]
            query = self.base.with_(table, definition.where(_among(start, keys)))
        if query._has("group_by") or counts_rows(query):
            query = query.group_by(*self.link)
        per_owner = query._has("limit", "offset")
        return keyed(query, executor, [self.link], related=True, per_owner=per_owner)


@frozen(eq=False)
class Combined:
    """
    A read whose rows grow.

    Attributes:
        operation: The read of the owners.
        decode: Makes of each raw row a tuple: the owner, whatever else was asked for, and its key for each branch.
        branches: One for each combination, in order.
        query: What it is the plan of.
    """

    operation: Operation
    decode: Decode[Any]
    branches: tuple[Branch, ...]
    query: "Query[Any, Any]"

    async def fetch(self, executor: Executor) -> list[Any]:
        """Run it, and return rows that have grown."""
        rows = await executor.fetch(self.operation, self.decode)
        return await self.grow(rows, executor)

    async def grow(self, rows: Sequence[Any], executor: Executor, batches: "Batches[Any] | None" = None) -> list[Any]:
        """
        Let decoded rows grow: read what belongs to them, and make what the query gives of both.

        Siblings are read at once where each can have a connection of its own, and in order on a transaction or on the
        connection of a stream.
        """
        held = batches is not None and batches.holds
        fetch: Fetch = batches.fetch if batches is not None and held else executor.fetch
        at_once = not held and executor.gateway is executor
        related = await _related(self, rows, executor, fetch, at_once=at_once)
        return _finished(self, rows, related)


async def _related(
    plan: Combined, rows: Sequence[Any], executor: Executor, fetch: Fetch, *, at_once: bool
) -> list[dict[Any, list[Any]]]:
    """Read what belongs to these rows, for each branch by the owner's key."""
    found: list[dict[Any, list[Any]]] = [{} for _ in plan.branches]

    async def load(index: int) -> None:
        branch = plan.branches[index]
        keys = branch.keys(rows)
        if keys:
            found[index] = await _loaded(branch, keys, executor, fetch, at_once=at_once)

    if at_once and len(plan.branches) > 1:
        await _together(load, len(plan.branches))
    else:
        for index in range(len(plan.branches)):
            await load(index)
    return found


async def _loaded(
    branch: Branch, keys: Sequence[Any], executor: Executor, fetch: Fetch, *, at_once: bool
) -> dict[Any, list[Any]]:
    plan = branch.planned(keys, executor)
    rows = await fetch(plan.operation, plan.decode)
    related = await _related(plan, rows, executor, fetch, at_once=at_once) if plan.branches else []
    by_key: dict[Any, list[Any]] = {}
    for row, item in zip(rows, _finished(plan, rows, related), strict=True):
        by_key.setdefault(row[1], []).append(item)
    return by_key


async def _together(load: Callable[[int], Awaitable[None]], count: int) -> None:
    """Run all at once; the first error ends the others, and is raised as it is."""
    errors: list[Exception] = []

    async def guarded(index: int) -> None:
        try:
            await load(index)
        except Exception as error:
            errors.append(error)
            group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        for index in range(count):
            group.start_soon(guarded, index)
    if errors:
        raise errors[0]


def _finished(plan: Combined, rows: Sequence[Any], related: Sequence[dict[Any, list[Any]]]) -> list[Any]:
    """Make what the query gives: its own functions and combinations, in the order in which they were said."""
    made: list[Any] = [row[0] for row in rows]
    flat: bool | None = not plan.query._projection.single
    branches = zip(plan.branches, related, strict=True)
    for kind, step in plan.query._steps:
        if kind == "combine":
            branch, by_key = next(branches)
            owned = [_owned(by_key.get(row[branch.place]), many=branch.way.many) for row in rows]
            made = [
                (*each, more) if (flat if flat is not None else type(each) is tuple) else (each, more)
                for each, more in zip(made, owned, strict=True)
            ]
            flat = True
        else:
            made = list(starmap(step, made)) if kind == "into" else list(map(step, made))
            flat = None
    return made


def _owned(found: list[Any] | None, *, many: bool) -> Any:
    if many:
        return list(found) if found else []
    return found[0] if found else None


class CombinedBatches:
    """Batches of rows that have grown; see `mapper.gateway.Batches`."""

    __slots__ = ("_batches", "_executor", "_plan")

    def __init__(self, plan: Combined, batches: Batches[Any], executor: Executor) -> None:
        self._plan = plan
        self._batches = batches
        self._executor = executor

    @property
    def holds(self) -> bool:
        """Whether it holds a connection still."""
        return self._batches.holds

    async def next(self) -> Sequence[Any] | None:
        """Return the next batch, or None after the last. What belongs to it is read on the connection that it holds."""
        rows = await self._batches.next()
        if rows is None:
            return None
        try:
            return await self._plan.grow(rows, self._executor, self._batches)
        except BaseException:
            self._batches.abandon()
            raise

    async def fetch(self, operation: Operation, decode: Decode[Any]) -> list[Any]:
        """Run another read between two batches."""
        return await self._batches.fetch(operation, decode)

    async def aclose(self) -> None:
        """Give the connection back."""
        await self._batches.aclose()

    def abandon(self) -> None:
        """Give the connection back without waiting."""
        self._batches.abandon()


# -- planning ----------------------------------------------------------------------------------------------------------


def combined(
    query: "Query[Any, Any]", repository: Stores[Any], wanted: Sequence[Sequence[Expr[Any, Any]]] = ()
) -> Combined:
    """
    Plan a query with combinations, and compile every level of it once, so that what is wrong is raised before I/O.

    Args:
        query: The owners.
        repository: Where it will run.
        wanted: As of `keyed`.

    Raises:
        NotStored, NotJoined, Unsupported, QueryError: As of the query itself, for every level.
    """
    plan = keyed(query, repository._executor, wanted)
    _check(plan, repository)
    return plan


def _check(plan: Combined, repository: Stores[Any]) -> None:
    if not plan.operation.reads <= repository._relations:
        repository._require(plan.operation.reads)
    for branch in plan.branches:
        _check(branch.planned((), repository._executor), repository)


def keyed(
    query: "Query[Any, Any]",
    executor: Executor,
    wanted: Sequence[Sequence[Expr[Any, Any]]] = (),
    *,
    related: bool = False,
    per_owner: bool = False,
) -> Combined:
    """
    Plan a read whose rows have further values beside them.

    Args:
        query: The rows, and the combinations by which they grow.
        executor: Where it will run.
        wanted: Expressions whose values are wanted behind each row, in groups: the value of a group of one, a tuple for
            a larger one.
        related: These are related rows, and the first group is their owner's key, so that what makes rows distinct
            does so for each owner.
        per_owner: Limit and offset hold for each value of the first group.
    """
    steps = [step for kind, step in query._steps if kind == "combine"]
    groups = (*wanted, *[_owner_key(query, walked(each.relationship)) for each in steps])
    extended, places = _extended(query, groups, related=related)
    if per_owner:
        extended = extended._extended(Clause("per_owner", payload=places[0]), f"|per owner {places[0]}", ())
    gateway = executor.gateway
    decode = keyed_decoder(extended._projection, places, gateway.codecs)
    first = 1 + len(wanted)
    branches = tuple([_branch(each, first + index) for index, each in enumerate(steps)])
    return Combined(gateway.compile(extended), decode, branches, query)


def _extended(
    query: "Query[Any, Any]", groups: Sequence[Sequence[Expr[Any, Any]]], *, related: bool
) -> "tuple[Query[Any, Any], tuple[tuple[int, ...], ...]]":
    """Return the query with these expressions among its outputs, and the positions at which they are."""
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
    return query._replayed(items), tuple(places)


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


def _owner_key(query: "Query[Any, Any]", way: RelationshipInfo) -> Keys:
    """Return the columns of a query that hold what the related rows refer to."""
    source = source_of(way, query._relations_read())
    return tuple([column_of(source, before) for before, _ in way.hops[0].pairs])


def _branch(combination: Combination, place: int) -> Branch:
    """Return how the rows of a relationship are read."""
    way, query = walked(combination.relationship), combination.query
    last, at = way.hops[-1], query._primary()
    query = _ordered(query.where(*_fulfilled(way, at)), way, at)
    ends = [column_of(at.relation, after) for _, after in last.pairs]
    if len(way.hops) == 1:
        link = tuple(ends)
        return Branch(way, place, _first_only(query, way, at, link), link)
    if combination.through is not None:
        table, _ = combination.through
        columns = tuple(info(table).attributes.values())
        start, end = columns[: len(way.hops[0].pairs)], columns[len(way.hops[0].pairs) :]
        joined = query.join(table, on=_equal(list(zip(end, ends, strict=True))))
        return Branch(way, place, joined, start, combination.through)
    between = named(way.hops, [info(each).token for each in query._relations_read()], at.relation)[0]
    pairs = [(column_of(between, before), end) for (before, _), end in zip(last.pairs, ends, strict=True)]
    link = tuple([column_of(between, after) for _, after in way.hops[0].pairs])
    return Branch(way, place, query.join(between, on=_equal(pairs)), link)


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
