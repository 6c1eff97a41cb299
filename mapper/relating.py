"""
Conditions and values over related rows: `any_`, `all_`, `none_` and `aggregate`.

A relationship, and what is said of the rows that it leads to, go in; an expression over rows of the relation that it
starts from comes out: a correlated subquery, for use in any clause of a query and in the conditions of updates and
deletes.
"""

from collections.abc import Sequence
from typing import Any

from attrs import evolve
from typing_extensions import TypeVar

from mapper.assembly import Clause, walk
from mapper.clauses import condition
from mapper.errors import QueryError
from mapper.expressions import BOOLEAN, Call, Expr
from mapper.functions import Aggregate, Window
from mapper.rebinding import column_of, names, rebound
from mapper.relation import Stored, info
from mapper.relationships import Related, walked
from mapper.walking import (
    Correlated,
    Walk,
    alias_of,
    along,
    among,
    first_of,
    held,
    is_first,
    key_of,
    source_given,
    started,
    subquery,
    surely,
)
from mapper.ways import Hop, RelationshipInfo

__all__ = ["aggregate", "all_", "any_", "none_"]

T = TypeVar("T")
Of = TypeVar("Of")
To = TypeVar("To")
Between = TypeVar("Between")


def any_(
    relationship: Related[Of, To, Between],
    /,
    *conditions: Expr[bool, To | Between] | Expr[bool | None, To | Between],
    of: Stored[Any, Any, Of] | None = None,
) -> Expr[bool, Of]:
    """
    Hold where a row has a related row that fulfils all conditions; without conditions, where it has any.

    Args:
        relationship: The relationship; its own conditions count too.
        conditions: On related rows, and rows on the way there. A column of the row itself is `outer(Posts.id)`.
        of: The alias under which the query reads the relation that the relationship starts from.

    Raises:
        QueryError: A condition is none, or `of` is an alias of another relation.
    """
    return _existing(relationship, [condition(each) for each in conditions], of)


def none_(
    relationship: Related[Of, To, Between],
    /,
    *conditions: Expr[bool, To | Between] | Expr[bool | None, To | Between],
    of: Stored[Any, Any, Of] | None = None,
) -> Expr[bool, Of]:
    """
    Hold where a row has no related row that fulfils all conditions; without conditions, where it has none at all.

    A condition that is NULL is not fulfilled. Arguments and errors are those of `any_`, of which it is the opposite.
    """
    return ~any_(relationship, *conditions, of=of)


def all_(
    relationship: Related[Of, To, Between],
    first: Expr[bool, To | Between] | Expr[bool | None, To | Between],
    /,
    *conditions: Expr[bool, To | Between] | Expr[bool | None, To | Between],
    of: Stored[Any, Any, Of] | None = None,
) -> Expr[bool, Of]:
    """
    Hold where every related row fulfils all conditions, and where there is no related row.

    A condition that is NULL is not fulfilled. Arguments and errors are those of `any_`.
    """
    wanted = [condition(each) for each in (first, *conditions)]
    every = wanted[0] if len(wanted) == 1 else Call[bool, Any]("and", tuple(wanted), BOOLEAN, nullable=None)
    failed = Call[bool, Any]("is_not_true", (every,), BOOLEAN, nullable=False) if every.nullable else ~every
    return ~_existing(relationship, [failed], of)


def aggregate(
    relationship: Related[Of, To, Between],
    value: Expr[T, To | Between],
    /,
    *,
    of: Stored[Any, Any, Of] | None = None,
) -> Expr[T, Of]:
    """
    Compute an aggregate over the related rows of each row: `aggregate(PostComments, fn.count())`.

    Over no rows it is what the function gives of none: 0 for `fn.count()`, NULL for the others. A row to which
    `Through` leads in several ways counts once.

    Args:
        relationship: The relationship.
        value: An expression with an aggregate, such as `fn.max(Comments.id)`; `filter=` narrows the rows.
        of: As of `any_`.

    Raises:
        QueryError: There is no aggregate in it, or `of` is an alias of another relation.
    """
    parts = [type(each) for each in walk(value)] if isinstance(value, Expr) else []
    if Aggregate not in parts or Window in parts:
        raise QueryError(f"{value!r} is no aggregate of related rows", hint="give one: fn.count(), fn.max(Comments.id)")
    way = walked(relationship)
    source = source_given(way, of)
    reading = _distinct(way, source, value) if way.repeats else along(way.hops, source, (), (value,))
    return Correlated("scalar", reading, started(way.hops, source), value.type, nullable=value.nullable)


def _existing(relationship: Any, conditions: Sequence[Expr[Any, Any]], of: Any) -> Expr[bool, Any]:
    way = walked(relationship)
    source = source_given(way, of)
    hops = way.hops if conditions else _any_of_last(way)
    return Correlated("exists", along(hops, source, conditions), started(hops, source), BOOLEAN, nullable=False)


def _any_of_last(way: RelationshipInfo) -> Any:
    """Return the steps of a way whose last leads to all of the rows of which only the first counts: is there any?"""
    last = way.hops[-1]
    return way.hops if len(last.where) > len(last.among) else (*way.hops[:-1], evolve(last, first=(), among=()))


def _distinct(way: RelationshipInfo, source: Any, value: Expr[Any, Any]) -> Walk:
    """Return an aggregate over the rows at the end of a way, each of which counts once however often it is reached."""
    *before, last = way.hops
    if not before:
        return along(way.hops, source, (), (value,))
    target = way.target
    if info(target).token == info(source).token:
        target = alias_of(target, f"{info(target).name}_reached")
    item = rebound(value, names(way.target, target))
    where = (*_reached(before, source, last, target), *held(last, target))
    return Walk((item,), (Clause("from", payload=target), Clause("where", where)))


def _reached(before: Sequence[Hop], source: Any, last: Hop, target: Any) -> list[Expr[bool, Any]]:
    """Return the conditions of rows that the last step leads to from rows that those before lead to."""
    there = [column_of(before[-1].relation, each) for each, _ in last.pairs]
    here = [column_of(target, each) for _, each in last.pairs]
    own = key_of(target) if last.first else ()
    if len(own) == 1:
        first = subquery("scalar", first_of(last, there), own[0].type, nullable=False)
        return among(own, [first], _rows(along(before, source, (), [first])))
    found = among(here, there, _rows(along(before, source, (), [surely(each) for each in there])))
    return [*found, is_first(last, own, here)] if own else found


def _rows(inner: Walk) -> Expr[Any, Any]:
    return subquery("rows", inner, inner.items[0].type, nullable=False)
