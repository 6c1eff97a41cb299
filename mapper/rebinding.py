"""
Rebinding: the same expression over another name of a relation.

An expression and the relations that are to stand for others go in; an expression whose columns are those of the others
comes out. What a subquery says of the relations around it is rebound with it.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Any, Final, TypeAlias

from attrs import evolve, frozen

from mapper.assembly import counter
from mapper.expressions import Attribute, Expr, Subquery, Take
from mapper.relation import info
from mapper.statements import FromSelect, Select, Source
from mapper.terms import Outer

__all__ = ["Names", "column_of", "names", "rebound"]

Names: TypeAlias = Mapping[str, Any]
"""For the token of a relation, the relation that is to stand for it: an alias of it, or a relation with its columns."""

Change: TypeAlias = Callable[[Expr[Any, Any]], Expr[Any, Any]]

NONE: Final[Names] = {}


def names(relation: Any, other: Any) -> Names:
    """Return the names by which `other` stands for `relation`; none where it is the same."""
    token = info(relation).token
    return NONE if info(other).token == token else {token: other}


def column_of(relation: Any, attribute: Attribute[Any, Any]) -> Attribute[Any, Any]:
    """Return the column of `relation` that is called as a column of a relation that it stands for."""
    return info(relation).attributes[attribute.column.attribute]


def rebound(expression: Expr[Any, Any], to: Names) -> Expr[Any, Any]:
    """
    Return an expression in which the columns of some relations are those of others.

    Raises:
        QueryError: It has a part that cannot be made of other expressions.
    """
    if not to:
        return expression
    if isinstance(expression, Attribute):
        return _named(expression, to)
    if isinstance(expression, Subquery):
        return _subquery(expression, to)
    return expression.mapped(lambda each: rebound(each, to))


def _named(attribute: Attribute[Any, Any], to: Names) -> Expr[Any, Any]:
    other = to.get(info(attribute.relation).token)
    if other is None:
        return attribute
    found = column_of(other, attribute)
    if found.nullable == attribute.nullable:
        return found
    twin = copy(found)
    twin.nullable = attribute.nullable
    twin.key = f"{found.key}?"
    return twin


def _subquery(subquery: Subquery[Any, Any], to: Names) -> Expr[Any, Any]:
    """Return a subquery whose references to the enclosing query are to other relations."""
    twin = copy(subquery)
    twin.query = _Rebound(subquery.query, to)
    renamed = ",".join([f"{token}>{info(other).token}" for token, other in sorted(to.items())])
    twin.key = f"{subquery.key}[{renamed}]"
    return twin.mapped(lambda each: rebound(each, to)) if subquery.children else twin


@frozen(eq=False)
class _Rebound:
    """A query within another, whose references to that one are to other relations."""

    query: Any
    to: Names

    def assemble(self) -> Select:
        """As `Query.assemble`."""
        return self.assembled(counter())

    def assembled(self, take: Take) -> Select:
        """As `Query.assembled`."""
        return _select(self.query.assembled(take), self.to)


def _select(select: Select, to: Names) -> Select:
    """Return a subquery with other names for what is around it. Its own sources have the names that they had."""
    deeper = {token: other for token, other in to.items() if token not in _tokens(select)}

    def change(each: Expr[Any, Any]) -> Expr[Any, Any]:
        return _outer(each, to, deeper)

    return evolve(
        select,
        items=_each(select.items, change),
        source=None if select.source is None else _source(select.source, to, deeper),
        joins=tuple(
            [
                evolve(
                    each,
                    source=_source(each.source, to, deeper),
                    on=None if each.on is None else change(each.on),
                )
                for each in select.joins
            ]
        ),
        where=_each(select.where, change),
        group_by=_each(select.group_by, change),
        having=_each(select.having, change),
        order_by=tuple([each.mapped(change) for each in select.order_by]),
        distinct_on=_each(select.distinct_on, change),
        compound=tuple([(operator, _select(right, to)) for operator, right in select.compound]),
        ctes=tuple([evolve(each, select=_select(each.select, to)) for each in select.ctes]),
    )


def _source(source: Source, to: Names, deeper: Names) -> Source:
    if isinstance(source, FromSelect):
        return evolve(source, select=_select(source.select, deeper if source.lateral else to))
    return source


def _outer(expression: Expr[Any, Any], to: Names, deeper: Names) -> Expr[Any, Any]:
    """Rename what an expression of a subquery says of the queries around it; `deeper` is for subqueries in it."""
    if isinstance(expression, Outer):
        found = _named(expression.attribute, to)
        assert isinstance(found, Attribute)
        return Outer(found)
    if isinstance(expression, Subquery):
        twin = copy(expression)
        twin.query = _select(expression.query, deeper)
        return twin
    return expression.mapped(lambda each: _outer(each, to, deeper))


def _each(expressions: Sequence[Expr[Any, Any]], change: Change) -> tuple[Expr[Any, Any], ...]:
    return tuple([change(each) for each in expressions])


def _tokens(select: Select) -> frozenset[str]:
    """Return the names of a select's own sources."""
    sources = [select.source, *[each.source for each in select.joins]]
    named = [getattr(each, "relation", None) for each in sources]
    return frozenset([info(each).token for each in named if each is not None])
