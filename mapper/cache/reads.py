"""
What a read depends on, found from its statement: which relations, whether rows of known keys alone, or why it is not
to be cached at all.

A `Select` goes in, once for each shape of query; a plan comes out.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal, TypeAlias

from attrs import frozen

from mapper.assembly import walk
from mapper.cache.keys import has_canonical_keys, table_of
from mapper.caching import CacheHints
from mapper.expressions import Attribute, Call, Expr, Slot, Subquery
from mapper.functions import Aggregate, Window
from mapper.keyed import conjuncts, equal_to, expressions, is_derived, sources
from mapper.relation import RelationInfo, info
from mapper.statements import FromRaw, FromRelation, FromSelect, Select
from mapper.terms import Fragment, SetReturning

__all__ = ["Kind", "ReadPlan", "Uncached", "plan_of"]

Kind: TypeAlias = Literal["key", "keys", "rows"]
"""Rows of one known key, rows of several, or any."""

VOLATILE: Final = frozenset({"now"})
"""Functions that give something else each time."""

QUERIES: Final = re.compile(
    r"\b(?:select|from|table|values|now|current_\w+|local\w+|random\w*|nextval)\b", re.IGNORECASE
)
"""Words in text of the user's own that may read a relation, or give something else each time."""


@frozen
class Uncached:
    """Why reads of a shape are not cached: a word for events, and a sentence; and the names of what they read."""

    reason: str
    explanation: str
    relations: tuple[str, ...] = ()


@frozen(eq=False)
class ReadPlan:
    """
    What reads of one shape depend on.

    Attributes:
        kind: See `Kind`.
        relations: Every relation that is read anywhere, by the names of their tables.
        key_at: Of `key`, where the key's values are in the statement's parameters, in the order of the key.
        list_at: Of `keys`, where the list of keys is there.
        key_output: Of `keys`, which column of the result has the key.
        absence: Whether a result depends on rows that are absent even if it has rows: an aggregate counts none.
        hints: What the query asks for, or None.
    """

    kind: Kind
    relations: tuple[RelationInfo, ...]
    key_at: tuple[int, ...] = ()
    list_at: int = -1
    key_output: int = -1
    absence: bool = False
    hints: CacheHints | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the relations, for events."""
        return tuple([each.name for each in self.relations])


def plan_of(select: Select) -> ReadPlan | Uncached:
    """Return what reads of this shape depend on, or why they are not cached."""
    hints = select.cached
    declared = () if hints is None else hints.reads
    refused = _refused(select, declared, asked=hints is not None)
    if refused is not None:
        return refused
    found = {info(each).original for each in (*select.reads, *declared)}
    relations = tuple(sorted([info(each) for each in found], key=table_of))
    if not relations:
        return Uncached("no relation", "it reads no relation")
    if not declared and len(relations) == 1 and has_canonical_keys(relations[0]):
        keyed = _keyed(select, relations[0], hints)
        if keyed is not None:
            return keyed
    return ReadPlan("rows", relations, hints=hints)


# -- refusals ----------------------------------------------------------------------------------------------------------


def _refused(select: Select, declared: Sequence[Any], *, asked: bool) -> Uncached | None:
    for part in _selects(select):
        if part.lock is not None:
            return Uncached("lock", "it locks rows")
        for source in sources(part):
            if isinstance(source, FromRaw) and not declared:
                return Uncached("raw", "it is raw, and what it reads is not declared")
            if isinstance(source, FromRelation) and is_derived(source.relation) and not declared:
                return Uncached("view", "it reads a relation that the store derives from others")
        for expression in expressions(part):
            if isinstance(expression, Call) and expression.name in VOLATILE:
                return Uncached("volatile", f"{expression.name}() gives something else each time")
            if isinstance(expression, Fragment) and not declared and (not asked or QUERIES.search(expression.text)):
                return Uncached("fragment", "a fragment of text may read anything")
    return None


def _selects(select: Select) -> Iterator[Select]:
    """Give a select and every one within it."""
    yield select
    for source in sources(select):
        if isinstance(source, FromSelect):
            yield from _selects(source.select)
    for _, other in select.compound:
        yield from _selects(other)
    for cte in select.ctes:
        yield from _selects(cte.select)
    for expression in expressions(select):
        if isinstance(expression, Subquery):
            yield from _selects(expression.query)


# -- reads by key ------------------------------------------------------------------------------------------------------


def _keyed(select: Select, described: RelationInfo, hints: CacheHints | None) -> ReadPlan | None:
    """Return the plan of a read that depends on rows of known keys alone; None of any other."""
    source = select.source
    if not isinstance(source, FromRelation) or select.joins or select.ctes or select.compound or select.group_by:
        return None
    if any(isinstance(each, Subquery | SetReturning) for each in expressions(select)):
        return None
    conditions = [each for part in select.where for each in conjuncts(part)]
    places = [equal_to(conditions, info(source.relation), each.attribute) for each in described.primary_key]
    if all(each is not None for each in places):
        at = tuple([each for each in places if each is not None])
        absence = any(isinstance(each, Aggregate) for item in select.items for each in walk(item))
        return ReadPlan("key", (described,), key_at=at, absence=absence, hints=hints)
    return _of_many(select, described, conditions, hints)


def _of_many(
    select: Select, described: RelationInfo, conditions: Sequence[Expr[Any, Any]], hints: CacheHints | None
) -> ReadPlan | None:
    """Return the plan of a read of a list of keys, each of whose rows can be kept by itself."""
    if (
        len(conditions) != 1
        or len(described.primary_key) != 1
        or select.order_by
        or select.limit is not None
        or select.offset is not None
        or select.distinct
        or select.distinct_on
        or select.having
        or any(isinstance(each, Aggregate | Window) for item in select.items for each in walk(item))
    ):
        return None
    name = described.primary_key[0].attribute
    match conditions[0]:
        case Call(name="in_list", operands=(Attribute() as item, Slot(many=True) as listed)) if (
            item.column.attribute == name
        ):
            outputs = [
                index
                for index, each in enumerate(select.items)
                if isinstance(each, Attribute) and each.column.attribute == name
            ]
            if outputs:
                return ReadPlan("keys", (described,), list_at=listed.index, key_output=outputs[0], hints=hints)
        case _:
            pass
    return None
