"""
Pages by keyset: a page starts after a row, not at a number of rows.

A query and a cursor go in; a query for one page, and cursors to its neighbours, come out. The order is made total by
the primary key, compared lexicographically, with NULLs where the order puts them; one row more than asked for tells
whether there is a next page. (The method is the "seek method" of Markus Winand, "SQL Performance Explained", chapter
7.)
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Generic

import msgspec
from attrs import frozen
from typing_extensions import TypeVar

from mapper.assembly import Clause, walk
from mapper.combining import combined
from mapper.errors import InvalidCursor, QueryError, UnorderedPages
from mapper.expressions import INTEGER, Attribute, Expr, Order, Parameter
from mapper.portable import portable, restored
from mapper.relation import RelationInfo
from mapper.stores import Stores
from mapper.terms import SetReturning

if TYPE_CHECKING:
    from mapper.query import Query

__all__ = ["Cursor", "Page", "page_of"]

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")

VERSION: Final = 1


@frozen
class Cursor:
    """
    A place between two rows of a query's order: opaque, and valid for queries of that order in every process.

    `str(cursor)` is its text, of URL-safe characters, which `after` and `before` take as well.
    """

    text: str

    def __str__(self) -> str:
        return self.text


@frozen
class Page(Generic[T_co]):
    """
    One page.

    Attributes:
        items: In the query's order.
        next, previous: Cursors to the neighbours, for `after` and `before`; None at the ends.
    """

    items: list[T_co]
    next: Cursor | None
    previous: Cursor | None


async def page_of(
    query: "Query[T, Any]",
    repository: Stores[Any],
    *,
    size: int,
    after: Cursor | str | None,
    before: Cursor | str | None,
) -> Page[T]:
    """Return one page of a query; see `Query.page`."""
    _check(query, size, after, before)
    terms = _terms(query)
    backward = before is not None
    given = before if backward else after
    place = None if given is None else _decoded(given, terms)
    paged = _page_query(query, terms, place, size, backward=backward)
    plan = combined(paged, repository, [(each.expression,) for each in terms])
    rows = await repository._executor.fetch(plan.operation, plan.decode)
    more, rows = len(rows) > size, rows[:size]
    if backward:
        rows.reverse()
    items: list[T] = await plan.grow(rows, repository._executor)
    return _page(items, rows, terms, more=more, backward=backward, began=given is None)


def _page(
    items: list[T], rows: list[Any], terms: Sequence[Order[Any]], *, more: bool, backward: bool, began: bool
) -> Page[T]:
    if not rows:
        return Page([], None, None)
    last, first = _encoded(rows[-1], terms), _encoded(rows[0], terms)
    if backward:
        return Page(items, last, first if more else None)
    return Page(items, last if more else None, None if began else first)


def _check(query: "Query[Any, Any]", size: int, after: object, before: object) -> None:
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise QueryError(f"a page of size {size!r}, expected at least 1")
    if after is not None and before is not None:
        raise QueryError("a page is after one row or before another, not both", hint="give one of after= and before=")
    for each in ("limit", "offset"):
        if query._has(each):
            raise QueryError(
                f"pages of a query with {each}", hint=f"take {each}(...) away: size= says how long a page is"
            )
    if query._has("group_by", "distinct", "distinct_on", "compound") or _makes_rows(query):
        raise QueryError(
            "pages of a query with groups, distinct rows, set operations or a function that gives rows",
            hint="read them as a stream: async for row in query.execute(…)",
        )


def _makes_rows(query: "Query[Any, Any]") -> bool:
    """Whether one row of the source becomes several, which its key does not tell apart."""
    return any(isinstance(each, SetReturning) for item in query._projection.outputs()[0] for each in walk(item))


def _terms(query: "Query[Any, Any]") -> tuple[Order[Any], ...]:
    """Return the query's order, made total by the primary key."""
    given = [term for clause in query._clauses() if clause.kind == "order_by" for term in clause.values]
    described = query._primary()
    if not query._has("join") and any(_is_unique(each.expression, described) for each in given):
        return tuple(given)
    if query._has("join") and not given:
        raise UnorderedPages("pages of a join have no order", hint="order by columns that tell its rows apart")
    named = {each.expression.key for each in given}
    keys = [described.attributes[each.attribute] for each in described.primary_key]
    terms = (*given, *[each.asc() for each in keys if each.key not in named])
    if not keys:
        raise UnorderedPages(
            f"{described.relation.__name__} has no primary key, so its pages have no order",
            hint="order by a unique column that is never NULL",
        )
    return terms


def _is_unique(expression: Expr[Any, Any], described: RelationInfo) -> bool:
    if not isinstance(expression, Attribute) or expression.nullable or expression.relation is not described.relation:
        return False
    name = expression.column.attribute
    alone = (name,)
    return described.key_columns == frozenset(alone) or any(each.columns == alone for each in described.uniques)


def _page_query(
    query: "Query[Any, Any]", terms: Sequence[Order[Any]], place: Sequence[Any] | None, size: int, *, backward: bool
) -> "Query[Any, Any]":
    paged = query
    if place is not None:
        paged = paged.where(_beyond(terms, place, backward=backward))
    orders = [_reversed(each) for each in terms] if backward else list(terms)
    parameters = tuple([value for each in orders for value in each.parameters])
    paged = paged._extended(
        Clause("reorder", tuple(orders)), f"|reorder {','.join([each.key for each in orders])}", parameters
    )
    number: Expr[int, Any] = Parameter(size + 1, INTEGER)
    return paged._extended(Clause("limit", (number,)), f"|limit {number.key}", number.parameters)


def _reversed(term: Order[Any]) -> Order[Any]:
    return Order(term.expression, descending=not term.descending, nulls_are_last=not term.nulls_are_last)


def _beyond(terms: Sequence[Order[Any]], place: Sequence[Any], *, backward: bool) -> Expr[bool, Any]:
    """
    Hold for rows that come after `place` in the order (before it, with `backward`): a lexicographic comparison that
    knows NULLs.
    """
    condition: Expr[bool, Any] | None = None
    for term, value in reversed(list(zip(terms, place, strict=True))):
        past, equal = _past(_reversed(term) if backward else term, value), term.expression == value
        if condition is not None:
            tied = equal & condition
            past = tied if past is None else past | tied
        condition = past
    if condition is None:
        return terms[0].expression.is_null() & terms[0].expression.is_not_null()
    bound = _bound(_reversed(terms[0]) if backward else terms[0], place[0])
    return condition if bound is None or len(terms) == 1 else bound & condition


def _past(term: Order[Any], value: Any) -> Expr[bool, Any] | None:
    """Hold for values strictly behind `value` in the direction of the term; None where there are none."""
    item = term.expression
    if value is None:
        return None if term.nulls_are_last else item.is_not_null()
    behind: Expr[bool, Any] = item < value if term.descending else item > value
    return behind | item.is_null() if item.nullable and term.nulls_are_last else behind


def _bound(term: Order[Any], value: Any) -> Expr[bool, Any] | None:
    """Repeat what the first term alone says, in a form in which an index can be used."""
    item = term.expression
    if value is None or item.nullable:
        return None
    bound: Expr[bool, Any] = item <= value if term.descending else item >= value
    return bound


def _fingerprint(terms: Sequence[Order[Any]]) -> bytes:
    """Tell orders apart, equally in every process: keys without the numbers that this process gave to relations."""
    text = ";".join([f"{re.sub(r'#[0-9]+', '', each.key)}:{each.expression.type.key}" for each in terms])
    return hashlib.blake2b(text.encode(), digest_size=8).digest()


def _encoded(row: Sequence[Any], terms: Sequence[Order[Any]]) -> Cursor:
    """Return the cursor to a row, which has the values of the order's terms behind its item."""
    values = [portable(each.expression.type, value) for each, value in zip(terms, row[1:], strict=False)]
    packed = msgspec.msgpack.encode([VERSION, _fingerprint(terms), values])
    return Cursor(base64.urlsafe_b64encode(packed).rstrip(b"=").decode())


def _decoded(cursor: Cursor | str, terms: Sequence[Order[Any]]) -> list[Any]:
    text = str(cursor)
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        version, fingerprint, values = msgspec.msgpack.decode(packed, type=tuple[int, bytes, list[Any]])
    except (binascii.Error, ValueError, msgspec.DecodeError, msgspec.ValidationError) as error:
        raise InvalidCursor(f"{text!r} is not a cursor", hint="pass page.next or page.previous as it came") from error
    if version != VERSION:
        raise InvalidCursor(
            f"the cursor is of version {version}, expected {VERSION}", hint="begin again at the first page"
        )
    if fingerprint != _fingerprint(terms) or len(values) != len(terms):
        raise InvalidCursor("the cursor is of a query in another order", hint="use it with the query that it came from")
    return [_value(each.expression, value) for each, value in zip(terms, values, strict=True)]


def _value(expression: Expr[Any, Any], value: Any) -> Any:
    storage = expression.type
    if value is None:
        if not expression.nullable:
            raise InvalidCursor(
                "the cursor has no value where the order is never NULL", hint="begin again at the first page"
            )
        return None
    try:
        return restored(storage, value)
    except (ValueError, TypeError, msgspec.ValidationError) as error:
        raise InvalidCursor(
            f"the cursor holds a value that does not fit {expression!r}", hint="begin again at the first page"
        ) from error
