"""
Queries: immutable values that say which rows, in what order, as what type.

Relations and expressions go in; a `Query` comes out, which compiles to an operation on any gateway and runs on any
repository that stores its
relations. A query is a chain of clauses: each step adds one, and the key and the values of all so far, so that building
is cheap and a compiled plan is found by one look-up.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final, Generic, Never, Self

from typing_extensions import TypeVar, TypeVarTuple, Unpack

from mapper import projection
from mapper.assembly import Clause, assemble, counter
from mapper.deferred import Deferred
from mapper.errors import ManyRows, NoRow, QueryError
from mapper.expressions import BOOLEAN, INTEGER, Expr, Order, Parameter, RowValue, Subquery, Subselect, Take
from mapper.functions import count
from mapper.gateway import Batches, Decode, Gateway
from mapper.operations import Operation
from mapper.pages import Cursor, Page, page_of
from mapper.projection import ExprItem, ModelItem, Projection, Step
from mapper.relation import CommonTable, RelationInfo, Stored, info
from mapper.rows import Rows
from mapper.statements import FromRaw, Select
from mapper.stores import Stores
from mapper.terms import literal

__all__ = ["One", "Query", "SelectModel", "begun", "whole"]

T_co = TypeVar("T_co", covariant=True)
S = TypeVar("S")
M = TypeVar("M")
R = TypeVar("R", default=Any)
R2 = TypeVar("R2")
Ts = TypeVarTuple("Ts")

ONE: Final = literal(1)
"""A row of one constant, which `exists` asks for."""


class Query(Subselect, Generic[T_co, R]):
    """
    Which rows of the relations `R`, in what order, as what type `T`.

    Every method returns another query; none does I/O but the terminals, which take a repository or a transaction:
    `execute`, `all`, `one`, `first`, `count`, `exists`, `page`, `pages`.

    Attributes:
        key: The query's shape, without values. Queries of one shape share a compiled plan.
        parameters: The values, in the order in which they were given.
    """

    __slots__ = ("_clause", "_previous", "_projection", "_steps", "key", "parameters")

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
        self.key = key
        self.parameters = parameters

    # -- building --

    def from_(self, relation: Stored[Any, Any, R2]) -> "Query[T_co, R | R2]":
        """Read from `relation`. Without this, a query reads from the relation of its first column."""
        described = info(relation)
        return _grown(self, Clause("from", payload=described.relation), f"|from {described.token}", ())

    def where(self, *conditions: Expr[bool, R] | Expr[bool | None, R]) -> Self:
        """Keep rows for which all conditions hold. Called again, it adds to them."""
        return self._with_values("where", [_condition(each) for each in conditions])

    def order_by(self, *terms: Expr[Any, R] | Order[R]) -> Self:
        """Order by these; called again, by further ones after them. NULLs come last ascending and first descending."""
        return self._with_values("order_by", [_term(each) for each in terms])

    def group_by(self, *terms: Expr[Any, R]) -> Self:
        """Make one row of all rows that are equal in these."""
        return self._with_values("group_by", [_expression(each, "group_by") for each in terms])

    def having(self, *conditions: Expr[bool, R] | Expr[bool | None, R]) -> Self:
        """Keep groups for which all conditions hold."""
        return self._with_values("having", [_condition(each) for each in conditions])

    def limit(self, size: int) -> Self:
        """Give at most `size` rows."""
        return self._with_values("limit", [_number("limit", size)])

    def offset(self, size: int) -> Self:
        """Leave out the first `size` rows. For walking through a large result, `pages` is faster and misses none."""
        return self._with_values("offset", [_number("offset", size)])

    def distinct(self) -> Self:
        """Give equal rows once."""
        return self._with_values("distinct", [])

    def join(self, relation: Stored[Any, Any, R2], on: Expr[bool, R | R2]) -> "Query[T_co, R | R2]":
        """Pair each row with the rows of `relation` for which `on` holds."""
        return self._joined("inner", relation, on)

    def left_join(self, relation: Stored[Any, Any, R2], on: Expr[bool, R | R2]) -> "Query[T_co, R | R2]":
        """As `join`, and keep rows without a match; what is selected of `relation` must then be `optional(...)`."""
        return self._joined("left", relation, on)

    def right_join(self, relation: Stored[Any, Any, R2], on: Expr[bool, R | R2]) -> "Query[T_co, R | R2]":
        """As `join`, and keep rows of `relation` without a match; what is selected of the others must be `optional(...)`."""
        return self._joined("right", relation, on)

    def full_join(self, relation: Stored[Any, Any, R2], on: Expr[bool, R | R2]) -> "Query[T_co, R | R2]":
        """As `join`, and keep rows of either side without a match; what is selected must be `optional(...)`."""
        return self._joined("full", relation, on)

    def cross_join(self, relation: Stored[Any, Any, R2]) -> "Query[T_co, R | R2]":
        """Pair each row with every row of `relation`."""
        return self._joined("cross", relation, None)

    def union(self, other: "Query[T_co, R2]") -> "Query[T_co, R | R2]":
        """Give the rows of both, equal ones once. What follows (`order_by`, `limit`) applies to the whole."""
        return self._compounded("union", other)

    def union_all(self, other: "Query[T_co, R2]") -> "Query[T_co, R | R2]":
        """Give the rows of both, equal ones as often as they come."""
        return self._compounded("union_all", other)

    def intersect(self, other: "Query[T_co, R2]") -> "Query[T_co, R | R2]":
        """Give the rows that both have, equal ones once."""
        return self._compounded("intersect", other)

    def intersect_all(self, other: "Query[T_co, R2]") -> "Query[T_co, R | R2]":
        """Give the rows that both have, equal ones as often as they come in both."""
        return self._compounded("intersect_all", other)

    def except_(self, other: "Query[T_co, R2]") -> "Query[T_co, R | R2]":
        """Give the rows that `other` does not have, equal ones once."""
        return self._compounded("except", other)

    def except_all(self, other: "Query[T_co, R2]") -> "Query[T_co, R | R2]":
        """Give the rows without those of `other`, each of which takes one equal row away."""
        return self._compounded("except_all", other)

    def with_(
        self, relation: type[CommonTable], definition: "Query[Any, R2]", *, recursive: bool = False
    ) -> "Query[T_co, R | R2]":
        """
        Give a common table the rows of `definition`, column by column; the query reads it as any relation.

        Args:
            relation: The class that names the columns.
            definition: With `recursive`, a set operation whose right side reads the common table itself.
            recursive: Whether it does.

        Raises:
            QueryError: The definition has another number of columns than the common table.
        """
        described = info(relation)
        names, _ = definition._projection.outputs()
        if len(names) != len(described.columns):
            raise QueryError(
                f"{relation.__name__} has {len(described.columns)} columns, and its definition gives {len(names)}",
                hint="select a value for each of its columns, in their order",
            )
        clause = Clause("with", (), (described.relation, definition, recursive))
        shape = f"|with{' recursive' if recursive else ''} {described.token} as ({definition.key})"
        return _grown(self, clause, shape, definition.parameters)

    def for_update(self, *, nowait: bool = False, skip_locked: bool = False) -> Self:
        """
        Lock the rows until the transaction ends. Other writers wait, unless they say `nowait`, which fails, or
        `skip_locked`, which leaves them out. Refused by gateways without row locks.
        """
        return self._locked("update", nowait, skip_locked)

    def for_share(self, *, nowait: bool = False, skip_locked: bool = False) -> Self:
        """Lock the rows against writers until the transaction ends; see `for_update`."""
        return self._locked("share", nowait, skip_locked)

    def find(self, key: object) -> "One[T_co, R]":
        """
        Restrict to the row with this primary key; a tuple in the order of declaration where it has several columns.

        Raises:
            QueryError: The relation has no primary key, or the key has another number of parts.
        """
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
        return One(self.where(*[column == value for column, value in zip(columns, values, strict=True)]))

    def into(self: "Query[tuple[*Ts], R]", build: Callable[[Unpack[Ts]], S]) -> "Query[S, R]":
        """Make an object of each row: `build` is called with the row's items, in order."""
        if self._projection.single:
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
        operation, decode = self._compiled(repository)
        executor = repository._executor

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
        operation, decode = self._compiled(repository)
        return await repository._executor.fetch(operation, decode)

    async def one(self, repository: Stores[R]) -> T_co:
        """
        Return the only row.

        Raises:
            NoRow: There is none.
            ManyRows: There is more than one.
        """
        rows = await (self if self._has_limit() else self.limit(2)).all(repository)
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
        rows = await (self if self._has_limit() else self.limit(1)).all(repository)
        return rows[0] if rows else None

    async def count(self, repository: Stores[R]) -> int:
        """Count the rows that the query gives, its limit included."""
        counted = self._derived("count", (), count())
        return (await counted.all(repository))[0]

    async def exists(self, repository: Stores[R]) -> bool:
        """Return whether the query gives any row."""
        found = self._derived("exists", (ONE, _number("limit", 1)), ONE)
        return bool(await found.all(repository))

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

    def as_rows(self) -> Subquery[T_co, Never]:
        """Return the query as the right side of `in`."""
        return self._subquery("rows", nullable=self._only_expression().nullable)

    def with_parameters(self, values: tuple[Any, ...]) -> Self:
        """Return the query with other values in the same places."""
        return type(self)(self._previous, self._clause, self.key, values, self._projection, self._steps)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Query):
            return NotImplemented
        return self.key == other.key and self.parameters == other.parameters and self._steps == other._steps

    def __hash__(self) -> int:
        return hash((self.key, self._steps))

    def __bool__(self) -> bool:
        raise TypeError("a query has no truth value\nHINT: ask the store: await query.exists(repository)")

    def __repr__(self) -> str:
        return f"<Query {self.key} with {len(self.parameters)} parameters>"

    # -- inside --

    def _extended(self, clause: Clause, key: str, parameters: tuple[Any, ...]) -> Self:
        """Return the query with one more clause."""
        return type(self)(self, clause, self.key + key, self.parameters + parameters, self._projection, self._steps)

    def _with_values(self, kind: str, values: Sequence[Any]) -> Self:
        if len(values) == 1:
            only = values[0]
            return self._extended(Clause(kind, (only,)), f"|{kind} {only.key}", only.parameters)
        parameters = tuple([value for each in values for value in each.parameters])
        return self._extended(
            Clause(kind, tuple(values)), f"|{kind} {','.join([each.key for each in values])}", parameters
        )

    def _with_step(self, kind: Any, build: Any) -> "Query[Any, R]":
        if not callable(build):
            raise QueryError(f"{kind} takes a function or a class, not {build!r}")
        return Query(
            self._previous, self._clause, self.key, self.parameters, self._projection, (*self._steps, (kind, build))
        )

    def _joined(self, kind: str, relation: Any, on: Any) -> "Query[Any, Any]":
        described = info(relation)
        if on is None:
            return _grown(self, Clause("join", (), (kind, described.relation)), f"|{kind} join {described.token}", ())
        condition = _condition(on)
        clause = Clause("join", (condition,), (kind, described.relation))
        return _grown(self, clause, f"|{kind} join {described.token} on {condition.key}", condition.parameters)

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
        return _grown(self, clause, f"|{operator} ({other.key})", other.parameters)

    def _locked(self, strength: str, nowait: bool, skip_locked: bool) -> Self:
        if nowait and skip_locked:
            raise QueryError("a lock is nowait or skip_locked, not both", hint="give one of them")
        lock = strength + (" nowait" if nowait else " skip_locked" if skip_locked else "")
        return self._extended(Clause("lock", payload=lock), f"|lock {lock}", ())

    def _derived(self, kind: str, values: tuple[Expr[Any, Any], ...], item: Expr[S, Any]) -> "Query[S, R]":
        """Return another query over the rows of this one, whose rows are `item` alone."""
        parameters = tuple([value for each in values for value in each.parameters])
        clause = Clause(kind, values, payload=item)
        return Query(self, clause, f"{self.key}|{kind}", self.parameters + parameters, Projection((ExprItem(item),)))

    def _replayed(self, items: Projection) -> "Query[Any, R]":
        """Return the same clauses over other items, with the values of this query."""
        chain: list[Query[Any, Any]] = []
        query: Query[Any, Any] | None = self
        while query is not None:
            chain.append(query)
            query = query._previous
        rebuilt = begun(items)
        for before, each in zip(reversed(chain), reversed(chain[:-1]), strict=False):
            values = self.parameters[len(before.parameters) : len(each.parameters)]
            rebuilt = rebuilt._extended(each._clause, each.key[len(before.key) :], values)
        return rebuilt

    def _compiled(self, repository: Stores[R]) -> tuple[Operation, Decode[T_co]]:
        gateway = repository._executor.gateway
        operation = gateway.compile(self)
        if not operation.reads <= repository._relations:
            repository._require(operation.reads)
        return operation, self._decoder(gateway)

    def _decoder(self, gateway: Gateway) -> Decode[T_co]:
        return projection.decoder(self._projection, self._steps, gateway.codecs)

    def _clauses(self) -> list[Clause]:
        clauses: list[Clause] = []
        # What was selected first names the source, not what count() or exists() ask for later.
        items = self._projection
        query: Query[Any, Any] | None = self
        while query is not None:
            clauses.append(query._clause)
            items = query._projection
            query = query._previous
        clauses.reverse()
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


class One(Generic[T_co, R]):
    """At most one row, by primary key: awaited, and None where the key is absent."""

    __slots__ = ("_query",)

    def __init__(self, query: Query[T_co, R]) -> None:
        self._query = query

    async def execute(self, repository: Stores[R]) -> T_co | None:
        """
        Return the row, or None.

        Raises:
            NotStored: The relation is not in the repository. Before I/O.
        """
        query = self._query
        operation, decode = query._compiled(repository)
        rows = await repository._executor.fetch(operation, decode)
        if len(rows) > 1:
            raise ManyRows(f"a key of {query._name()} gives several rows through joins", query=query, count=len(rows))
        return rows[0] if rows else None

    @property
    def key(self) -> str:
        """The shape; see `Query.key`."""
        return self._query.key

    @property
    def parameters(self) -> tuple[Any, ...]:
        """The values; see `Query.parameters`."""
        return self._query.parameters

    def assemble(self) -> Select:
        """As `Query.assemble`."""
        return self._query.assemble()

    def with_parameters(self, values: tuple[Any, ...]) -> Self:
        """As `Query.with_parameters`."""
        return type(self)(self._query.with_parameters(values))

    def __eq__(self, other: object) -> bool:
        return self._query == other._query if isinstance(other, One) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._query)

    def __repr__(self) -> str:
        return f"<One {self._query.key}>"


class SelectModel(Generic[M]):
    """A model to be read, from a relation that is yet to be said."""

    __slots__ = ("_model",)

    def __init__(self, model: type[M]) -> None:
        self._model = model

    def from_(self, relation: Stored[M, Any, R]) -> Query[M, R]:
        """
        Read the models of `relation`.

        Raises:
            QueryError: The relation stores another model.
        """
        described = info(relation)
        if described.model is not self._model:
            raise QueryError(
                f"{described.relation.__name__} stores {_shown(described.model)}, not {_shown(self._model)}",
                hint="select the relation's own model, or its columns with .into(...)",
            )
        return whole(described, wrapped=False)

    def __repr__(self) -> str:
        return f"<select {_shown(self._model)} from nothing yet>"


def whole(described: RelationInfo, *, wrapped: bool) -> Query[Any, Any]:
    """Return the query of all rows of a relation, as models or wrappers. It is the same object every time."""
    known = _WHOLE.get((described.token, wrapped))
    if known is None:
        item = ModelItem(described.relation, wrapped)
        known = begun(Projection((item,)), described.relation)
        if len(_WHOLE) >= WHOLE_LIMIT:
            _WHOLE.clear()
        _WHOLE[described.token, wrapped] = known
    return known


def _grown(query: Query[Any, Any], clause: Clause, key: str, parameters: tuple[Any, ...]) -> Query[Any, Any]:
    """Return the query with a clause that adds a relation; the caller says which."""
    return query._extended(clause, key, parameters)


WHOLE_LIMIT: Final = 1024
_WHOLE: Final[dict[tuple[str, bool], Query[Any, Any]]] = {}


def begun(items: Projection, relation: Any = None) -> Query[Any, Any]:
    """Return a query that selects `items`, from `relation` where one is given."""
    query = Query[Any, Any](
        None, Clause("select", payload=items.outputs), f"select {items.key}", items.parameters, items
    )
    if relation is None:
        return query
    return query.from_(relation)


def _with_source(clauses: list[Clause], items: Projection) -> list[Clause]:
    """Add the source that the first column names, where the query does not say one."""
    if any(each.kind == "from" for each in clauses):
        return clauses
    relation = items.first_relation()
    if relation is None:
        return clauses
    return [clauses[0], Clause("from", payload=relation), *clauses[1:]]


def _condition(value: Any) -> Expr[Any, Any]:
    if isinstance(value, Expr):
        if value.type is BOOLEAN or value.type == BOOLEAN:
            return value
        raise QueryError(
            f"{value!r} is not a condition but {value.type.python.__name__}", hint="compare it with something"
        )
    hint = "use & | ~ instead of 'and' 'or' 'not'; a comparison of an attribute with a value of another type may have given a plain bool"
    raise QueryError(f"{value!r} is not a condition", hint=hint)


def _expression(value: Any, where: str) -> Expr[Any, Any]:
    if isinstance(value, Expr):
        return value
    raise QueryError(f"{where} takes expressions, not {value!r}", hint="name a column: Posts.title")


def _term(value: Any) -> Expr[Any, Any] | Order[Any]:
    return value if isinstance(value, Order) else Order(_expression(value, "order_by"), descending=False)


def _number(name: str, value: Any) -> Expr[int, Any]:
    if isinstance(value, Deferred):
        return Parameter(value, INTEGER)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise QueryError(f"{name} is {value!r}, expected a number of rows", hint="give an integer that is not negative")
    return Parameter(value, INTEGER)


def _shown(model: Any) -> str:
    return getattr(model, "__name__", repr(model))
