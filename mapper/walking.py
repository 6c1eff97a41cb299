"""
Walking: the joins and subqueries by which a query gets from a row to the rows that a relationship leads to.

A relationship's steps and the sources that are there already go in; joins with their conditions, or a correlated
subquery, come out. Relations on the way are read under their own names, or where these are taken under names of their
own.
"""

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from functools import lru_cache
from typing import Any, TypeAlias

from attrs import evolve, field, frozen

from mapper.assembly import Clause, assemble, counter
from mapper.errors import NotJoined, QueryError
from mapper.expressions import BOOLEAN, INTEGER, Attribute, Call, Expr, Parameter, RowValue, Subquery, Take
from mapper.projection import ExprItem, Projection
from mapper.rebinding import column_of, names, rebound
from mapper.relation import RelationInfo, described_name, info
from mapper.statements import Select
from mapper.terms import Outer
from mapper.ways import Hop, RelationshipInfo

__all__ = [
    "Correlated",
    "Step",
    "Walk",
    "alias_of",
    "along",
    "among",
    "every",
    "first_of",
    "held",
    "is_first",
    "key_of",
    "named",
    "source_given",
    "source_of",
    "started",
    "steps",
    "subquery",
    "surely",
    "tied",
]

Step: TypeAlias = tuple[str, Any, Expr[bool, Any]]
"""A join: its kind, the relation or an alias of it, and the condition."""


@frozen(eq=False)
class Walk:
    """
    A select that stands within another.

    Attributes:
        items: What it gives.
        clauses: From where, in the order of assembly.
        single: Whether it gives one row at most.
        key, parameters: As of a query.
    """

    items: tuple[Expr[Any, Any], ...]
    clauses: tuple[Clause, ...]
    single: bool = False
    key: str = field(init=False)
    parameters: tuple[Any, ...] = field(init=False)
    _select: Clause = field(init=False)

    def __attrs_post_init__(self) -> None:
        projection = Projection(tuple([ExprItem(each) for each in self.items]))
        values = [value for clause in self.clauses for each in clause.values for value in each.parameters]
        object.__setattr__(self, "key", f"walk {projection.key}{''.join([_shape(each) for each in self.clauses])}")
        object.__setattr__(self, "parameters", (*projection.parameters, *values))
        object.__setattr__(self, "_select", Clause("select", payload=projection))

    def assemble(self) -> Select:
        """As `Query.assemble`."""
        return self.assembled(counter())

    def assembled(self, take: Take) -> Select:
        """As `Query.assembled`."""
        select = assemble((self._select, *self.clauses), take)
        return evolve(select, single=True) if self.single else select


def _shape(clause: Clause) -> str:
    if clause.kind == "from":
        return f"|from {info(clause.payload).token}"
    values = ",".join([each.key for each in clause.values])
    if clause.kind == "join":
        kind, relation = clause.payload
        return f"|{kind} join {info(relation).token} on {values}"
    return f"|{clause.kind} {values}"


class Correlated(Subquery[Any, Any]):
    """
    A subquery over the rows that a relationship leads to from a row of the enclosing query.

    Attributes:
        columns: The columns of the enclosing query that it starts from, which stand among its children.
    """

    __slots__ = ("columns",)

    def __init__(
        self, kind: str, walk: Walk, columns: tuple[Expr[Any, Any], ...], type_: Any, *, nullable: bool
    ) -> None:
        super().__init__(kind, walk, type_, nullable=nullable, key=f"{kind}({walk.key})", parameters=walk.parameters)
        self.columns = columns

    @property
    def children(self) -> tuple[Expr[Any, Any], ...]:
        return self.columns

    def mapped(self, change: Callable[[Expr[Any, Any]], Expr[Any, Any]]) -> "Correlated":
        twin = object.__new__(Correlated)
        twin.kind, twin.query, twin.type, twin.nullable = self.kind, self.query, self.type, self.nullable
        twin.key, twin.parameters = self.key, self.parameters
        twin.columns = tuple([change(each) for each in self.columns])
        return twin


# -- one step ----------------------------------------------------------------------------------------------------------


def tied(hop: Hop, before: Any, at: Any, *, outside: bool = False, hidden: bool = False) -> list[Expr[bool, Any]]:
    """
    Return the conditions under which a step leads from a row of one relation to a row of another.

    Args:
        hop: The step.
        before: Where it comes from, or what stands for that.
        at: Where it leads, under the name that it is read by.
        outside: Whether `before` is a source of the enclosing query.
        hidden: Whether that is out of sight of a subquery, for which a nearer source has its name.

    Raises:
        QueryError: Only the first of several rows counts, and they have no primary key.
    """
    there = [column_of(before, each) for each, _ in hop.pairs]
    here = [column_of(at, each) for _, each in hop.pairs]
    if hop.first and not hidden:
        return [is_first(hop, key_of(at), there), *held(hop, at)]
    equal = [_equal(left, Outer(right) if outside else right) for left, right in zip(here, there, strict=True)]
    return [*equal, is_first(hop, key_of(at), here), *held(hop, at)] if hop.first else [*equal, *held(hop, at)]


def among(columns: Sequence[Expr[Any, Any]], values: Sequence[Expr[Any, Any]], query: Any) -> list[Expr[bool, Any]]:
    """
    Return the conditions of rows whose columns are among what a query gives. NULL is not among anything.

    Args:
        columns: The rows' columns.
        values: What the query gives, side by side with them.
        query: The query, as a right side of `in`, which does not care for a NULL that is in it.
    """
    row = surely(columns[0]) if len(columns) == 1 else RowValue[Any, Any]([surely(each) for each in columns])
    found: Expr[bool, Any] = Call("in_query", (row, query), BOOLEAN, nullable=False)
    both = [left for left, right in zip(columns, values, strict=True) if left.nullable and right.nullable]
    return [found, *[each.is_not_null() for each in both]]


def surely(expression: Expr[Any, Any]) -> Expr[Any, Any]:
    """Return an expression that is NULL nowhere where that matters."""
    if not expression.nullable:
        return expression
    twin = copy(expression)
    twin.nullable = False
    twin.key = f"{expression.key}!"
    return twin


def held(hop: Hop, at: Any) -> list[Expr[bool, Any]]:
    """Return what rows must fulfil that a step leads to, beyond what the first of them was chosen among."""
    left = [each for each in hop.where if not any([each is other for other in hop.among])]
    return [rebound(each, names(hop.relation, at)) for each in left]


def is_first(hop: Hop, own: Sequence[Expr[Any, Any]], keys: Sequence[Attribute[Any, Any]]) -> Expr[bool, Any]:
    """Hold where a row's key is that of the first row that a step leads to from columns of the enclosing query."""
    walk = first_of(hop, keys)
    if len(own) == 1:
        return _equal(own[0], subquery("scalar", walk, own[0].type, nullable=True))
    (found,) = among(own, walk.items, subquery("rows", walk, own[0].type, nullable=False))
    return found


def subquery(kind: str, walk: Walk, type_: Any, *, nullable: bool) -> Subquery[Any, Any]:
    """Return a select as an expression; `kind` is one of those of `Subquery`."""
    return Subquery(kind, walk, type_, nullable=nullable, key=f"{kind}({walk.key})", parameters=walk.parameters)


def first_of(hop: Hop, keys: Sequence[Attribute[Any, Any]]) -> Walk:
    """Return the subquery of the key of the first row that a step leads to from columns of the enclosing query."""
    conditions = [_equal(after, Outer(key)) for (_, after), key in zip(hop.pairs, keys, strict=True)]
    clauses = (
        Clause("from", payload=hop.relation),
        Clause("where", (*conditions, *hop.among)),
        Clause("order_by", hop.first),
        Clause("limit", (Parameter(1, INTEGER),)),
    )
    return Walk(key_of(hop.relation), clauses, single=True)


def key_of(relation: Any) -> tuple[Attribute[Any, Any], ...]:
    """
    Return the columns of a relation's primary key.

    Raises:
        QueryError: It has none.
    """
    described = info(relation)
    if not described.primary_key:
        raise QueryError(
            f"{described.original.__name__} has no primary key, by which one of its rows can be told from another",
            hint="declare one: column(primary_key=True)",
        )
    return tuple([described.attributes[each.attribute] for each in described.primary_key])


def _equal(left: Expr[Any, Any], right: Expr[Any, Any]) -> Expr[bool, Any]:
    return Call("eq", (left, right), BOOLEAN, nullable=None)


# -- subqueries --------------------------------------------------------------------------------------------------------


def along(
    hops: Sequence[Hop], source: Any, conditions: Sequence[Expr[bool, Any]], items: Sequence[Expr[Any, Any]] = ()
) -> Walk:
    """
    Return the subquery of the rows that steps lead to from a row of the enclosing query.

    Args:
        hops: The steps.
        source: Where they start: a source of the enclosing query.
        conditions: What the rows must fulfil besides.
        items: What it gives; a column where it does not matter what.
    """
    read = named(hops)
    joins = [
        Clause("join", (every(tied(hop, before, at)),), ("inner", at))
        for hop, before, at in zip(hops[1:], read[:-1], read[1:], strict=True)
    ]
    hidden = info(source).token in [info(each).token for each in read]
    where = (*tied(hops[0], source, read[0], outside=True, hidden=hidden), *conditions)
    given = tuple(items) or (column_of(read[0], hops[0].pairs[0][1]),)
    return Walk(given, (Clause("from", payload=read[0]), *joins, Clause("where", where)))


def started(hops: Sequence[Hop], source: Any) -> tuple[Attribute[Any, Any], ...]:
    """Return the columns of the source that steps start from."""
    return tuple([column_of(source, before) for before, _ in hops[0].pairs])


def _exists(hops: Sequence[Hop], source: Any) -> Expr[bool, Any]:
    return Correlated("exists", along(hops, source, ()), started(hops, source), BOOLEAN, nullable=False)


def named(hops: Sequence[Hop], taken: Sequence[str] = (), last: Any = None) -> list[Any]:
    """
    Return what the relations of steps are read as: the last one as given or as itself, those before as themselves
    where that name is not taken.
    """
    end = hops[-1].relation if last is None else last
    used = {*taken, info(end).token}
    read: list[Any] = []
    for hop in hops[:-1]:
        read.append(_free(hop.relation, used))
        used.add(info(read[-1]).token)
    return [*read, end]


def _free(relation: Any, used: set[str]) -> Any:
    described = info(relation)
    number, found = 1, relation
    while info(found).token in used:
        number += 1
        found = alias_of(relation, f"{described.name}_{number}")
    return found


@lru_cache(maxsize=1024)
def alias_of(relation: Any, alias: str) -> Any:
    """Return an alias of a relation, the same one each time: making one makes a class."""
    return relation.named(alias)


def every(conditions: Sequence[Expr[bool, Any]]) -> Expr[bool, Any]:
    """Return one condition that holds where all of these do."""
    if len(conditions) == 1:
        return conditions[0]
    return Call("and", tuple(conditions), BOOLEAN, nullable=None)


# -- joins ------------------------------------------------------------------------------------------------------------


def source_given(way: RelationshipInfo, of: Any) -> Any:
    """
    Return the relation that a relationship starts from, or the alias of it that is given.

    Raises:
        QueryError: It is an alias of another relation.
    """
    if of is None or info(of).original is info(way.source).original:
        return way.source if of is None else info(of).relation
    source = info(way.source).original.__name__
    raise QueryError(
        f"{way.relationship.__name__} starts from {source}, and of= is {described_name(info(of))}",
        hint=f"give an alias of it: of={source}.named('other')",
    )


def source_of(way: RelationshipInfo, sources: Sequence[Any], of: Any = None) -> Any:
    """
    Return which of a query's sources a relationship starts from: the one given, the relation itself, or its only alias.

    Raises:
        NotJoined: None of them is one.
        QueryError: There are several aliases, or the one given is of another relation.
    """
    name, wanted = way.relationship.__name__, info(source_given(way, of))
    read = [info(each) for each in sources]
    same = [each for each in read if each.token == wanted.token]
    named = [each for each in read if each.original is wanted.original]
    found = same or ([] if of is not None else named)
    if len(found) == 1:
        return found[0].relation
    if found:
        raise QueryError(
            f"{name} starts from {described_name(wanted)}, which the query reads as {_listed(found)}",
            hint=f"say from which: .join({name}, of=…)",
        )
    raise NotJoined(
        f"{name} starts from {described_name(wanted)}, which is not among the sources: "
        f"the query reads from {_listed(read) or 'no relation'}",
        relation=wanted.original,
        hint=f"join it first: .join({described_name(wanted)}, on=…)"
        if read
        else f"say .from_({described_name(wanted)}) first",
    )


def steps(way: RelationshipInfo, kind: str, sources: Sequence[Any], source: Any, to: Any = None) -> Iterator[Step]:
    """
    Give the joins along a relationship.

    A left join keeps a row once where nothing is at the end of the way, and has no row for a relation between that
    leads nowhere. A right join keeps the rows at the end.

    Args:
        way: The relationship.
        kind: `inner`, `left`, `right` or `full`.
        sources: What the query reads already.
        source: Which of them it starts from.
        to: What its end is to be read as; without it, under its own name.

    Raises:
        QueryError: The end is read already, `to` is another relation, or a full join has several steps.
    """
    taken = [info(each).token for each in sources]
    read = named(way.hops, taken, _end(way, taken, to))
    if kind == "full" and len(way.hops) > 1:
        raise QueryError(
            f"{way.relationship.__name__} leads over {_listed([info(each) for each in read[:-1]])}, and a full join has one step",
            hint="join the relations one by one, on conditions",
        )
    before = source
    for index, (hop, at) in enumerate(zip(way.hops, read, strict=True)):
        rest = way.hops[index + 1 :]
        on = tied(hop, before, at)
        if kind == "left" and not all([_is_certain(each) for each in rest]):
            on.append(_exists(rest, at))
        yield ("inner" if kind == "right" and rest else kind), at, every(on)
        before = at


def _end(way: RelationshipInfo, taken: Sequence[str], to: Any) -> Any:
    name, target = way.relationship.__name__, info(way.target)
    given = target if to is None else info(to)
    if given.original is not target.original:
        raise QueryError(
            f"{name} leads to {described_name(target)}, and to= is {described_name(given)}",
            hint=f"give an alias of it: to={target.original.__name__}.named('other')",
        )
    if given.token in taken:
        raise QueryError(
            f"{name} leads to {described_name(given)}, which the query reads already",
            hint=f"join it under another name: .join({name}, to={target.original.__name__}.named('other'))",
        )
    return given.relation


def _is_certain(hop: Hop) -> bool:
    """Whether a step leads somewhere from every row: by a reference that is never NULL."""
    return not hop.where and not hop.first and all([_refers(before, after) for before, after in hop.pairs])


def _refers(before: Attribute[Any, Any], after: Attribute[Any, Any]) -> bool:
    references = before.column.options.references
    return references is not None and not before.nullable and references().key == after.key


def _listed(relations: Sequence[RelationInfo]) -> str:
    return ", ".join([described_name(each) for each in relations])
