"""
Queries: immutable values that say which rows, in what order, as what type.

Relations and expressions go in; a `Query` comes out, which compiles to an operation on any gateway and runs on any
repository that stores its
relations. A query is a chain of clauses: each step adds one, and the key and the values of all so far, so that building
is cheap and a compiled plan is found by one look-up.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from itertools import pairwise
from typing import Any, Final, Generic, Never, Self
from uuid import UUID

from attrs import evolve
from typing_extensions import TypeVar, TypeVarTuple, Unpack

from mapper.assembly import Clause, assemble, counter
from mapper.batched import Batched
from mapper.cachedqueries import CachedQueries
from mapper.clauses import condition, expression, number, term
from mapper.combinations import Combinations
from mapper.combining import Combination, CombinedBatches, combined, require_end, route
from mapper.deferred import Placeholder
from mapper.errors import ManyRows, NoRow, QueryError
from mapper.explained import explained
from mapper.explaining import Plan
from mapper.expressions import BOOLEAN, Call, Expr, Omitted, Order, RowValue, Subquery, Subselect, Take
from mapper.functions import count
from mapper.gateway import Batches, Decode
from mapper.joins import Joins
from mapper.one import One
from mapper.operations import Operation, OutputColumn
from mapper.pages import Cursor, Page, page_of
from mapper.projection import ExprItem, Item, ModelItem, Projection, RawItem, Step, decoder
from mapper.relation import CommonTable, RelationInfo, Stored, info
from mapper.relationships import walked
from mapper.revisions import Revisions
from mapper.rows import Rows
from mapper.setoperations import SetOperations, united
from mapper.showing import one_line, shown
from mapper.sources import Derived, require_columns, sourced
from mapper.statements import FromRaw, Select
from mapper.stores import Stores
from mapper.terms import literal
from mapper.traversal import Traversals, traversed

__all__ = ["One", "Query", "begun", "whole"]

T_co = TypeVar("T_co", covariant=True)
S = TypeVar("S")
M = TypeVar("M")
R = TypeVar("R", default=Any)
R2 = TypeVar("R2")
Ts = TypeVarTuple("Ts")

ONE: Final = literal(1)
"""A constant, of which `exists` asks for a row."""

FOUND: Final = Projection((ExprItem(ONE),))
"""That row."""

COUNT: Final = Projection((ExprItem(count()),))
"""A row of the number of rows, which `count` asks for."""

NUMBER: Final = number("limit", 1)
LIMIT: Final = Clause("limit", (NUMBER,))
OFFSET: Final = Clause("offset", (NUMBER,))
"""Clauses of a number of rows."""

PLAIN: Final = frozenset({int, str, bytes, date, datetime, Decimal, UUID})
"""Classes of keys of which it goes without saying that they are values and no expressions."""


class Query(
    Subselect,
    Joins[T_co, R],
    Traversals[T_co, R],
    SetOperations[T_co, R],
    Revisions[T_co, R],
    Combinations[T_co, R],
    CachedQueries[R],
    Generic[T_co, R],
):
    """
    Which rows of the relations `R`, in what order, as what type `T`.

    Every method returns another query; none does I/O but the terminals, which take a repository or a transaction:
    `execute`, `all`, `one`, `first`, `count`, `exists`, `page`, `pages`.

    Attributes:
        key: The query's shape, without values. Queries of one shape share a compiled plan.
        parameters: The values, in the order in which they were given.
    """

    __slots__ = ("_by_key", "_clause", "_previous", "_projection", "_steps", "key", "parameters")

    def __init__(
        self,
        previous: "Query[Any, Any] | None",
        clause: Clause,
        key: str,
        parameters: tuple[Any, ...],
        projection_: Projection,
        steps: tuple[Step, ...] = (),
    ) -> None:
        self._previous = previous
        self._clause = clause
        self._projection = projection_
        self._steps = steps
        self._by_key: One[T_co, R] | None = None
        self.key = key
        self.parameters = parameters

    # -- building --

    def from_(self, relation: Stored[Any, Any, R2]) -> "Query[T_co, R | R2]":
        """Read from `relation`. Without this, a query reads from the relation of its first column."""
        source, key, parameters = sourced(relation)
        return _grown(self, Clause("from", payload=source), f"|from {key}", parameters)

    def where(self, *conditions: Expr[bool, R] | Expr[bool | None, R]) -> Self:
        """Keep rows for which all conditions hold. Called again, it adds to them."""
        if len(conditions) == 1 and type(only := conditions[0]) is Call and only.type is BOOLEAN:
            return self._extended(Clause("where", (only,)), f"|where {only.key}", only.parameters)
        kept = [each for each in map(condition, conditions) if type(each) is not Omitted]
        return self._with_values("where", kept) if kept or not conditions else self

    def order_by(self, *terms: Expr[Any, R] | Order[R]) -> Self:
        """Order by these; called again, by further ones after them. NULLs come last ascending and first descending."""
        return self._with_values("order_by", [term(each) for each in terms])

    def group_by(self, *terms: Expr[Any, R]) -> Self:
        """Make one row of all rows that are equal in these."""
        return self._with_values("group_by", [expression(each, "group_by") for each in terms])

    def having(self, *conditions: Expr[bool, R] | Expr[bool | None, R]) -> Self:
        """Keep groups for which all conditions hold."""
        kept = [each for each in map(condition, conditions) if type(each) is not Omitted]
        return self._with_values("having", kept) if kept or not conditions else self

    def limit(self, size: int) -> Self:
        """Give at most `size` rows."""
        return self._with_number("limit", LIMIT, size)

    def offset(self, size: int) -> Self:
        """Leave out the first `size` rows. For walking through a large result, `pages` is faster and misses none."""
        return self._with_number("offset", OFFSET, size)

    def distinct(self) -> Self:
        """Give equal rows once."""
        return self._with_values("distinct", [])

    def with_(
        self, relation: type[CommonTable], definition: "Query[Any, R2] | Derived[R2]", *, recursive: bool = False
    ) -> "Query[T_co, R | R2]":
        """
        Give a common table the rows of `definition`, column by column; the query reads it as any relation.

        Args:
            relation: The class that names the columns.
            definition: A query, or rows written out: `values(Chain, rows)`. With `recursive`, a set operation whose
                right side reads the common table itself.
            recursive: Whether it does.

        Raises:
            QueryError: The definition has other columns than the common table.
        """
        described = info(relation)
        if isinstance(definition, Derived):
            definition = _columns_of(definition)
        require_columns(described, definition.output_columns())
        clause = Clause("with", (), (described.relation, definition, recursive))
        shape = f"|with{' recursive' if recursive else ''} {described.token} as ({definition.key})"
        return _grown(self, clause, shape, definition.parameters)

    def for_update(
        self,
        *,
        nowait: bool = False,
        skip_locked: bool = False,
        of: Stored[Any, Any, R] | Sequence[Stored[Any, Any, R]] = (),
    ) -> Self:
        """
        Lock the rows until the transaction ends. Refused by gateways without row locks.

        Args:
            nowait: A row that another transaction has locked is an error, instead of being waited for.
            skip_locked: Such rows are left out.
            of: The relations of the query whose rows are locked; all of them by default. An outer join needs it, for
                rows that may be missing cannot be locked.

        Raises:
            QueryError: Both `nowait` and `skip_locked`; or, when the query is compiled, `of` names what it does not read.
        """
        return self._locked("update", nowait, skip_locked, of)

    def for_share(
        self,
        *,
        nowait: bool = False,
        skip_locked: bool = False,
        of: Stored[Any, Any, R] | Sequence[Stored[Any, Any, R]] = (),
    ) -> Self:
        """Lock the rows against writers until the transaction ends; see `for_update`."""
        return self._locked("share", nowait, skip_locked, of)

    def find(self, key: object) -> "One[T_co, R]":
        """
        Restrict to the row with this primary key; a tuple in the order of declaration where it has several columns.

        Raises:
            QueryError: The relation has no primary key, or the key has another number of parts.
        """
        known = self._by_key
        if known is not None:
            size = len(known.parameters)
            if size == 1 and type(key) in PLAIN:
                return known.with_parameters((key,))
            if type(key) is tuple and len(key) == size and PLAIN.issuperset(map(type, key)):
                return known.with_parameters(key)
        return One(self._with_key(key))

    def _with_key(self, key: object) -> Self:
        described = self._primary()
        if not described.primary_key:
            raise QueryError(f"{described.relation.__name__} has no primary key", hint="use where(...) and first()")
        columns = [described.attributes[each.attribute] for each in described.primary_key]
        values = (key,) if len(columns) == 1 and not isinstance(key, tuple) else key
        if not isinstance(values, tuple) or len(values) != len(columns):
            names = ", ".join(each.column.attribute for each in columns)
            raise QueryError(
                f"{key!r} is not a key of {described.relation.__name__}, which is ({names})",
                hint="give its value" if len(columns) == 1 else "give a tuple of these, in order",
            )
        if any(each is None for each in values):
            raise QueryError(f"{key!r} is not a key of {described.relation.__name__}: no part of a key is None")
        return self.where(*[column == value for column, value in zip(columns, values, strict=True)])

    def into(self: "Query[tuple[*Ts], R]", build: Callable[[Unpack[Ts]], S]) -> "Query[S, R]":
        """Make an object of each row: `build` is called with the row's items, in order."""
        if self._projection.single and not any(kind == "combine" for kind, _ in self._steps):
            raise QueryError("into takes rows of several items, and this query gives one", hint="use .map(function)")
        return self._with_step("into", build)

    def map(self, build: Callable[[T_co], S]) -> "Query[S, R]":
        """Make an object of each row: `build` is called with the row."""
        return self._with_step("map", build)

    # -- running --

    def execute(self, repository: Stores[R]) -> Rows[T_co]:
        """
        Return the rows as an async iterator, in constant memory; nothing runs before the first is asked for.

        Raises:
            NotStored, NotJoined, Unsupported, ValueNotStorable: Here, before I/O.
        """
        executor = repository._executor
        if self._combines():
            plan = combined(self, repository)

            async def open_combined() -> Batches[T_co]:
                return CombinedBatches(plan, await executor.stream(plan.operation, plan.decode), executor)

            return Rows(open_combined)
        operation, decode = self._compiled(repository)

        async def open_() -> Batches[T_co]:
            return await executor.stream(operation, decode)

        return Rows(open_)

    async def all(self, repository: Stores[R]) -> list[T_co]:
        """
        Run the query and return every row, in the query's order.

        Returns:
            One object per row; an empty list where nothing matches. Buffers: for large results iterate `execute`.

        Raises:
            NotStored: A relation of the query is not in the repository. Before I/O.
            Unsupported: The gateway lacks a capability that the query needs. Before a connection is taken.
            ConnectionLost: Nothing is returned, and the connection has left the pool.
        """
        return await self._fetched(repository)

    async def one(self, repository: Stores[R]) -> T_co:
        """
        Return the only row.

        Raises:
            NoRow: There is none.
            ManyRows: There is more than one.
        """
        rows = await (self if self._has_limit() else self.limit(2))._fetched(repository)
        if len(rows) == 1:
            return rows[0]
        if not rows:
            raise NoRow(
                f"one() found no row of {self._name()}",
                query=self,
                hint="use first(), which gives None where there is none",
            )
        raise ManyRows(
            f"one() found more than one row of {self._name()}",
            query=self,
            count=len(rows),
            hint="narrow the query, or use first()",
        )

    async def first(self, repository: Stores[R]) -> T_co | None:
        """Return the first row, in the query's order or as it comes; None where there is none."""
        rows = await (self if self._has_limit() else self.limit(1))._fetched(repository)
        return rows[0] if rows else None

    async def count(self, repository: Stores[R]) -> int:
        """Count the rows that the query gives, its limit included."""
        counted: list[int] = await self._derived("count", (), COUNT)._fetched(repository)
        return counted[0]

    async def exists(self, repository: Stores[R]) -> bool:
        """Return whether the query gives any row."""
        return bool(await self._derived("exists", (ONE, NUMBER), FOUND)._fetched(repository))

    async def explain(self, repository: Stores[R], *, analyze: bool = False) -> Plan:
        """
        Ask the store how it runs the query; `print` draws the answer as a tree.

        Of a query that combines it is the plan of the owners; those of the relationships are its `parts`.

        Args:
            repository: Where the query would be run; it is not.
            analyze: Run it, and measure: the plan has actual rows and times. What it writes is undone. The rows that
                relationships start from are read once more, for their keys; without it relationships are planned for no
                keys.

        Raises:
            NotStored, Unsupported: Before I/O.
        """
        executor = repository._executor
        ask = partial(executor.gateway.explain, analyze=analyze, executor=executor)
        if not self._combines():
            return await ask(self._compiled(repository)[0])
        return await explained(combined(self, repository), executor, ask, analyze=analyze)

    async def page(
        self, repository: Stores[R], *, size: int, after: Cursor | str | None = None, before: Cursor | str | None = None
    ) -> Page[T_co]:
        """
        Return one page, by keyset: it starts after (or ends before) a row, not at a number of rows, so nothing is
        skipped or seen twice.

        Args:
            repository: Where to read.
            size: The largest number of items.
            after, before: A cursor of another page of the same query; one of them at most.

        Returns:
            Items in the query's order, and cursors to the neighbours; None at the ends.

        Raises:
            UnorderedPages: The relation has no primary key and the query no order.
            InvalidCursor: The cursor is damaged, or of another query.
        """
        return await page_of(self, repository, size=size, after=after, before=before)

    async def pages(self, repository: Stores[R], *, size: int = 1000) -> AsyncIterator[list[T_co]]:
        """Give the rows in lists of `size`, by keyset, holding nothing between them. Errors as in `page`."""
        cursor: Cursor | None = None
        while True:
            page: Page[T_co] = await page_of(self, repository, size=size, after=cursor, before=None)
            if page.items:
                yield page.items
            if page.next is None:
                return
            cursor = page.next

    # -- as a value, and for gateways --

    def assemble(self) -> Select:
        """Return the whole query as a numbered select; see `mapper.statements`."""
        return self.assembled(counter())

    def assembled(self, take: Take) -> Select:
        """Return the query as a part of a larger one, whose parameters `take` numbers."""
        return assemble(self._clauses(), take)

    def as_scalar(self) -> Subquery[T_co, Never]:
        """Return the query as an expression: its one value, NULL where it gives no row."""
        return self._subquery("scalar", nullable=True)

    def output_columns(self) -> list[OutputColumn]:
        """Describe what the query selects, in order."""
        expressions, names = self._projection.outputs()
        return [OutputColumn(name, each.type, each.nullable) for name, each in zip(names, expressions, strict=True)]

    def as_rows(self) -> Subquery[T_co, Never]:
        """Return the query as the right side of `in`."""
        return self._subquery("rows", nullable=self._only_expression().nullable)

    def with_parameters(self, values: tuple[Any, ...]) -> Self:
        """Return the query with other values in the same places."""
        return type(self)(self._previous, self._clause, self.key, values, self._projection, self._steps)

    def nested_parameters(self) -> Iterator[Any]:
        """Give the values in the queries of its combinations, at every level."""
        for kind, step in self._steps:
            if kind == "combine":
                yield from step.query.parameters
                yield from step.query.nested_parameters()

    def bound(self, arguments: Sequence[Any]) -> Self:
        """Return the query with these arguments in the place of its placeholders, at every level."""
        values = [arguments[each.index] if isinstance(each, Placeholder) else each for each in self.parameters]
        steps: list[Step] = [
            (kind, evolve(step, query=step.query.bound(arguments)) if kind == "combine" else step)
            for kind, step in self._steps
        ]
        return type(self)(self._previous, self._clause, self.key, tuple(values), self._projection, tuple(steps))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Query):
            return NotImplemented
        return self.key == other.key and self.parameters == other.parameters and self._steps == other._steps

    def __hash__(self) -> int:
        return hash((self.key, self._steps))

    def __bool__(self) -> bool:
        raise TypeError("a query has no truth value\nHINT: ask the store: await query.exists(repository)")

    def __str__(self) -> str:
        """Return the query as text, for people: SQL with a clause a line, and behind it the values."""
        return shown(self)

    def __repr__(self) -> str:
        return f"<Query {one_line(self)}>"

    # -- inside --

    def _extended(self, clause: Clause, key: str, parameters: tuple[Any, ...]) -> Self:
        """Return the query with one more clause."""
        items = self._projection
        if items.open and clause.kind in {"from", "join"}:
            items = items.reading([*self._relations_read(without_from=clause.kind == "from"), *_read_by(clause)])
        # As `__init__`, whose call takes longer: this is what each step of building a query comes to.
        made = _new(type(self))
        made._previous = self
        made._clause = clause
        made._projection = items
        made._steps = self._steps
        made._by_key = None
        made.key = self.key + key
        made.parameters = self.parameters + parameters
        return made

    def _with_number(self, kind: str, clause: Clause, size: int) -> Self:
        """Return the query with a number of rows; `clause` is one for any, since the value is in the query's own."""
        if type(size) is int and size >= 0:
            return self._extended(clause, f"|{kind} {NUMBER.key}", (size,))
        return self._with_values(kind, [number(kind, size)])

    def _with_values(self, kind: str, values: Sequence[Any]) -> Self:
        if len(values) == 1:
            only = values[0]
            return self._extended(Clause(kind, (only,)), f"|{kind} {only.key}", only.parameters)
        parameters = tuple([value for each in values for value in each.parameters])
        return self._extended(
            Clause(kind, tuple(values)), f"|{kind} {','.join([each.key for each in values])}", parameters
        )

    def _with_step(self, kind: Any, build: Any) -> "Query[Any, R]":
        if kind != "combine" and not callable(build):
            raise QueryError(f"{kind} takes a function or a class, not {build!r}")
        return Query(
            self._previous, self._clause, self.key, self.parameters, self._projection, (*self._steps, (kind, build))
        )

    def _batched(self) -> Batched[list[T_co], R]:
        return Batched(self, single=False)

    def _is_raw(self) -> bool:
        return isinstance(self._projection.items[0], RawItem)

    def _combines(self) -> bool:
        """Whether rows grow by what relationships lead to."""
        return bool(self._steps) and any(kind == "combine" for kind, _ in self._steps)

    def _combined_with(self, relationship: Any, query: Any) -> "Query[Any, Any]":
        way = walked(relationship)
        related = whole(info(way.target), wrapped=False) if query is None else query
        if not isinstance(related, Query):
            raise QueryError(f"combine takes a query of the related rows, not {related!r}", hint="select(…).from_(…)")
        if self._is_raw():
            raise QueryError("combine of a raw query, whose columns are not known", hint="select from a relation")
        require_end(way, related)
        through = route(way, begun) if way.repeats and len(way.hops) > 1 else None
        return self._with_step("combine", Combination(relationship, related, through))

    def _relations_read(self, *, without_from: bool = False) -> list[Any]:
        """Return the relations of FROM and of the joins, in order."""
        clauses = [each for each in self._clauses() if each.kind != "from" or not without_from]
        return [relation for each in clauses for relation in _read_by(each)]

    def _traversed(self, path: Sequence[Any], *, recursive: bool) -> "Query[Any, Any]":
        return traversed(self, path, begun, recursive=recursive)

    def _joined(self, kind: str, relation: Any, on: Any) -> "Query[Any, Any]":
        source, key, parameters = sourced(relation)
        if on is None:
            return _grown(self, Clause("join", (), (kind, source)), f"|{kind} join {key}", parameters)
        held = _held(on)
        clause = Clause("join", (held,), (kind, source))
        return _grown(self, clause, f"|{kind} join {key} on {held.key}", parameters + held.parameters)

    def _compounded(self, operator: str, other: Any) -> "Query[Any, Any]":
        if not isinstance(other, Query):
            raise QueryError(f"{operator} takes a query, not {other!r}")
        ours, theirs = len(self._projection.outputs()[0]), len(other._projection.outputs()[0])
        if ours != theirs:
            raise QueryError(
                f"{operator} of queries of {ours} and {theirs} columns",
                hint="select as many columns in both, in one order",
            )
        clause = Clause("compound", (), (operator, other))
        rows = united(self._projection, other._projection, operator)
        return Query(
            self, clause, f"{self.key}|{operator} ({other.key})", self.parameters + other.parameters, rows, self._steps
        )

    def _locked(self, strength: str, nowait: bool, skip_locked: bool, of: Any) -> Self:
        if nowait and skip_locked:
            raise QueryError("a lock is nowait or skip_locked, not both", hint="give one of them")
        lock = strength + (" nowait" if nowait else " skip_locked" if skip_locked else "")
        locked = [info(each) for each in (of if isinstance(of, Sequence) else (of,))]
        clause = Clause("lock", payload=(lock, tuple([each.relation for each in locked])))
        return self._extended(clause, f"|lock {lock}{''.join([f' {each.token}' for each in locked])}", ())

    def _derived(self, kind: str, values: tuple[Expr[Any, Any], ...], items: Projection) -> "Query[Any, R]":
        """Return another query over the rows of this one, whose rows are the one expression of `items`."""
        parameters = tuple([value for each in values for value in each.parameters])
        clause = Clause(kind, values, payload=items.outputs()[0][0])
        return Query(self, clause, f"{self.key}|{kind}", self.parameters + parameters, items)

    def _replayed(self, items: Projection, without: AbstractSet[str] = frozenset()) -> "Query[Any, R]":
        """Return the same clauses over other items, with the values of this query; some kinds of them left out."""
        chain: list[Query[Any, Any]] = []
        query: Query[Any, Any] | None = self
        while query is not None:
            chain.append(query)
            query = query._previous
        chain.reverse()
        # What stands before a set operation is of its left side, and stays.
        whole_from = max([place for place, each in enumerate(chain) if each._clause.kind == "compound"], default=0)
        rebuilt = begun(items)
        for place, (before, each) in enumerate(pairwise(chain), 1):
            if each._clause.kind not in without or place < whole_from:
                values = self.parameters[len(before.parameters) : len(each.parameters)]
                rebuilt = rebuilt._extended(each._clause, each.key[len(before.key) :], values)
        return rebuilt

    def _without(self, kinds: AbstractSet[str]) -> "Query[Any, R]":
        return self._with_steps_of(self._replayed(self._projection, kinds))

    def _with_items(self, change: Callable[[Item], Item]) -> "Query[Any, R]":
        return self._with_steps_of(self._replayed(self._projection.with_items(change)))

    def _with_steps_of(self, query: "Query[Any, Any]") -> "Query[Any, R]":
        """Return another query whose rows go through the functions and combinations of this one."""
        return Query(query._previous, query._clause, query.key, query.parameters, query._projection, self._steps)

    def _fetched(self, repository: Stores[R], one: "One[T_co, R] | None" = None) -> Awaitable[list[T_co]]:
        """Return what `all` awaits; `one` is this query with a key of its own."""
        if self._steps and self._combines():
            return combined(self if one is None else one._query, repository).fetch(repository._executor)
        executor = repository._executor
        gateway = executor.gateway
        operation = gateway.compile(self if one is None else one)
        if not operation.reads <= repository._relations:
            repository._require(operation.reads)
        ready = self._projection.ready
        if ready is None or ready[0] is not gateway.codecs or self._steps:
            return executor.fetch(operation, decoder(self._projection, self._steps, gateway.codecs))
        return executor.fetch(operation, ready[1])

    def _compiled(self, repository: Stores[R]) -> tuple[Operation, Decode[T_co]]:
        gateway = repository._executor.gateway
        operation = gateway.compile(self)
        if not operation.reads <= repository._relations:
            repository._require(operation.reads)
        return operation, decoder(self._projection, self._steps, gateway.codecs)

    def _clauses(self) -> list[Clause]:
        clauses: list[Clause] = []
        # What was selected names the source, not what count() or exists() ask for later.
        items: Projection | None = None
        query: Query[Any, Any] | None = self
        while query is not None:
            clauses.append(query._clause)
            if items is None and query._clause.kind not in {"count", "exists"}:
                items = query._projection
            query = query._previous
        clauses.reverse()
        assert items is not None
        if items.open:
            clauses[0] = Clause("select", payload=items)
        return _with_source(clauses, items)

    def _primary(self) -> RelationInfo:
        """Return the relation that the query reads from first."""
        for clause in self._clauses():
            if clause.kind == "from" and not isinstance(clause.payload, FromRaw):
                return info(clause.payload)
        raise QueryError("the query reads from no relation", hint="say from_(Posts)")

    def _has(self, *kinds: str) -> bool:
        query: Query[Any, Any] | None = self
        while query is not None:
            if query._clause.kind in kinds:
                return True
            query = query._previous
        return False

    def _has_limit(self) -> bool:
        return self._has("limit")

    def _name(self) -> str:
        return self._primary().relation.__name__ if not self._has("raw") else "a raw query"

    def _only_expression(self) -> Expr[Any, Any]:
        items = self._projection.items
        if len(items) != 1 or not isinstance(items[0], ExprItem):
            expressions = [each for each in items if isinstance(each, ExprItem)]
            if len(expressions) == len(items):
                return RowValue([each.expression for each in expressions])
            raise QueryError(
                f"{self!r} gives models, and a subquery gives values", hint="select a column: select(Posts.id)"
            )
        return items[0].expression

    def _subquery(self, kind: str, *, nullable: bool) -> Subquery[T_co, Never]:
        only = self._only_expression()
        if kind == "scalar" and isinstance(only, RowValue):
            raise QueryError("a subquery of several columns has no one value", hint="select one column")
        return Subquery(kind, self, only.type, nullable=nullable, key=f"{kind}({self.key})", parameters=self.parameters)


def whole(described: RelationInfo, *, wrapped: bool) -> Query[Any, Any]:
    """Return the query of all rows of a relation, as models or wrappers. It is the same object every time."""
    table = _OF_WRAPPERS if wrapped else _OF_MODELS
    known = table.get(described.token)
    if known is None:
        item = ModelItem(described.relation, wrapped)
        known = begun(Projection((item,)), described.relation)
        if described.primary_key:
            places = [Placeholder(index, each.attribute) for index, each in enumerate(described.primary_key)]
            known._by_key = One(known._with_key(tuple(places) if len(places) > 1 else places[0]))
        if len(table) >= WHOLE_LIMIT:
            table.clear()
        table[described.token] = known
    return known


def _grown(query: Query[Any, Any], clause: Clause, key: str, parameters: tuple[Any, ...]) -> Query[Any, Any]:
    """Return the query with a clause that adds a relation; the caller says which."""
    return query._extended(clause, key, parameters)


WHOLE_LIMIT: Final = 1024
_OF_MODELS: Final[dict[str, Query[Any, Any]]] = {}
_OF_WRAPPERS: Final[dict[str, Query[Any, Any]]] = {}

_new: Final = object.__new__


def begun(items: Projection, relation: Any = None) -> Query[Any, Any]:
    """Return a query that selects `items`, from `relation` where one is given."""
    key, parameters = items.key, items.parameters
    first = items.first_relation() if items.open else None
    if first is not None:
        items = items.reading([first])
    query = Query[Any, Any](None, Clause("select", payload=items), f"select {key}", parameters, items)
    return query if relation is None else query.from_(relation)


def _held(on: Any) -> Expr[bool, Any]:
    """Return the condition of a join, which cannot be left out."""
    held = condition(on)
    if isinstance(held, Omitted):
        raise QueryError("the condition of a join is omitted", hint="use cross_join(...) if every pair is meant")
    return held


def _columns_of(source: Derived[Any]) -> Query[Any, Any]:
    """Return the query of all columns of a source, in order."""
    columns = info(source).attributes.values()
    return begun(Projection(tuple([ExprItem(each) for each in columns]))).from_(source)


def _read_by(clause: Clause) -> list[Any]:
    """Return the relation that a clause adds to what is read, in a list; an empty one where it adds none."""
    source = clause.payload if clause.kind == "from" else clause.payload[1] if clause.kind == "join" else None
    return [source] if hasattr(source, "__relation__") else []


def _with_source(clauses: list[Clause], items: Projection) -> list[Clause]:
    """Add the source that the first column names, where the query does not say one."""
    if any(each.kind == "from" for each in clauses):
        return clauses
    relation = items.first_relation()
    if relation is None:
        return clauses
    return [clauses[0], Clause("from", payload=relation), *clauses[1:]]
