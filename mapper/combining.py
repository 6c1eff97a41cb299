"""
Combining: rows grow by the rows that relationships lead to, without a query for each.

A query with combinations goes in; a plan comes out: its own read, which gives the owners' keys beside each row, and for
each combination how the related rows of a set of keys are read. One read serves all owners of a batch, and what it
gives is dealt out by key, so that the work is in proportion to owners and related rows.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import starmap
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio
from attrs import field, frozen

from mapper.expressions import Expr
from mapper.gateway import Batches, Decode, Executor
from mapper.operations import Operation
from mapper.projection import grouped_decoder, keyed_decoder
from mapper.related import Template, keyed_rows, require_end, route, template_of
from mapper.relationships import walked
from mapper.stores import Stores
from mapper.ways import RelationshipInfo

if TYPE_CHECKING:
    from mapper.query import Query

__all__ = ["Branch", "Combination", "Combined", "CombinedBatches", "combined", "keyed", "require_end", "route"]

Fetch: TypeAlias = Callable[[Operation, Decode[Any]], Awaitable[list[Any]]]


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
        template: How the related rows are read.
    """

    way: RelationshipInfo
    place: int
    template: Template

    def keys(self, rows: Sequence[Any]) -> list[Any]:
        """Return the keys of these rows, each once; NULL, and a key of which a part is NULL, lead nowhere."""
        place = self.place
        keys = dict.fromkeys([row[place] for row in rows])
        keys.pop(None, None)
        return list(keys) if self.template.width == 1 else [each for each in keys if None not in each]

    def planned(self, keys: Sequence[Any], executor: Executor) -> "Combined":
        """Plan the read of the rows related to owners with these keys; a decoded row has the owner's key at 1."""
        read = self.template.filled(keys)
        return _planned(read, read, self.template.places, executor)

    def dealt(self, rows: Sequence[Any], found: Mapping[Any, list[Any]], *, apart: bool) -> list[Any]:
        """
        Return what belongs to each of some rows.

        Args:
            found: The related rows of each key.
            apart: No two of the rows have the same key, so that nobody else has their list.
        """
        place = self.place
        if not self.way.many:
            return [each[0] if (each := found.get(row[place])) else None for row in rows]
        if apart:
            return [found.get(row[place]) or [] for row in rows]
        return [list(found.get(row[place], ())) for row in rows]


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
        return _finished(self, rows, await _related(self, rows, executor, fetch, at_once=at_once))


async def _related(
    plan: Combined, rows: Sequence[Any], executor: Executor, fetch: Fetch, *, at_once: bool
) -> list[list[Any]]:
    """Read what belongs to these rows, for each branch; each has one entry for each row."""
    found: list[list[Any]] = [[] for _ in plan.branches]

    async def load(index: int) -> None:
        branch = plan.branches[index]
        keys = branch.keys(rows)
        by_key = await _loaded(branch, keys, executor, fetch, at_once=at_once) if keys else {}
        found[index] = branch.dealt(rows, by_key, apart=len(keys) == len(rows))

    if at_once and len(plan.branches) > 1:
        await _together(load, len(plan.branches))
    else:
        for index in range(len(plan.branches)):
            await load(index)
    return found


async def _loaded(
    branch: Branch, keys: Sequence[Any], executor: Executor, fetch: Fetch, *, at_once: bool
) -> Mapping[Any, list[Any]]:
    plan = branch.planned(keys, executor)
    read = plan.query
    if not read._steps:
        return _merged(
            await fetch(
                plan.operation, grouped_decoder(read._projection, branch.template.places[0], executor.gateway.codecs)
            )
        )
    rows = await fetch(plan.operation, plan.decode)
    related = await _related(plan, rows, executor, fetch, at_once=at_once) if plan.branches else []
    by_key = defaultdict[Any, list[Any]](list)
    for row, item in zip(rows, _finished(plan, rows, related), strict=True):
        by_key[row[1]].append(item)
    return by_key


def _merged(groups: Sequence[dict[Any, list[Any]]]) -> Mapping[Any, list[Any]]:
    """Return the groups of several batches as one."""
    if len(groups) < 2:
        return groups[0] if groups else {}
    merged = groups[0]
    for each in groups[1:]:
        for key, items in each.items():
            merged.setdefault(key, []).extend(items)
    return merged


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


def _finished(plan: Combined, rows: Sequence[Any], related: Sequence[list[Any]]) -> list[Any]:
    """Make what the query gives: its own functions and combinations, in the order in which they were said."""
    made: list[Any] = [row[0] for row in rows]
    items = plan.query._projection
    if len(plan.query._steps) == 1 == len(items.items) - items.hidden and related:
        return [(row[0], more) for row, more in zip(rows, related[0], strict=True)]
    flat: bool | None = len(items.items) - items.hidden > 1
    owned = iter(related)
    for kind, step in plan.query._steps:
        if kind == "combine":
            pairs = zip(made, next(owned), strict=True)
            if flat is None:
                made = [(*each, more) if type(each) is tuple else (each, more) for each, more in pairs]
            else:
                made = [(*each, more) for each, more in pairs] if flat else list(pairs)
            flat = True
        else:
            made = list(starmap(step, made)) if kind == "into" else list(map(step, made))
            flat = None
    return made


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
    _require(plan.operation.reads, repository)
    for branch in plan.branches:
        known, gateway = branch.template.reads, repository._executor.gateway
        reads = None if known is None else known.get(gateway)
        if reads is not None:
            _require(reads, repository)
            continue
        below = branch.planned((), repository._executor)
        _check(below, repository)
        if known is not None:
            known[gateway] = below.operation.reads


def _require(reads: frozenset[Any], repository: Stores[Any]) -> None:
    if not reads <= repository._relations:
        repository._require(reads)


def keyed(query: "Query[Any, Any]", executor: Executor, wanted: Sequence[Sequence[Expr[Any, Any]]] = ()) -> Combined:
    """
    Plan a read whose rows have further values beside them.

    Args:
        query: The rows, and the combinations by which they grow.
        executor: Where it will run.
        wanted: Expressions whose values are wanted behind each row, in groups: the value of a group of one, a tuple for
            a larger one.
    """
    return _planned(query, *keyed_rows(query, wanted), executor)


def _planned(
    query: "Query[Any, Any]", read: "Query[Any, Any]", places: Sequence[Sequence[int]], executor: Executor
) -> Combined:
    """Return the plan of a query of which `read` has the keys among its outputs, those of its combinations last."""
    gateway = executor.gateway
    operation, decode = gateway.compile(read), keyed_decoder(read._projection, places, gateway.codecs)
    steps = [step for kind, step in query._steps if kind == "combine"]
    first = 1 + len(places) - len(steps)
    return Combined(operation, decode, tuple([_branch(each, first + index) for index, each in enumerate(steps)]), query)


def _branch(combination: Combination, place: int) -> Branch:
    template = template_of(combination.relationship, combination.query, combination.through)
    return Branch(walked(combination.relationship), place, template)
