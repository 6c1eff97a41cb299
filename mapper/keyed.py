"""
Which rows a read is restricted to, as far as its statement says: what a cache and a gateway that merges reads both ask.

A `Select` goes in; its parts, the parameters that its key is compared with, or the same read of several keys come out.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from attrs import evolve, frozen

from mapper.assembly import walk
from mapper.expressions import Attribute, Call, Expr, Slot
from mapper.operations import OutputColumn
from mapper.relation import RelationInfo, info
from mapper.statements import FromRaw, FromRelation, Select, Source

__all__ = ["PointRead", "conjuncts", "equal_to", "expressions", "is_derived", "point_read", "sources"]


@frozen(eq=False)
class PointRead:
    """
    A read of columns of the one row with a key.

    Attributes:
        many: The same read of a list of keys, which is its only parameter.
        key_output: Which column of its result has the key.
        width: How many columns of its result are those of the read; where the key is none of them, it follows them.
    """

    many: Select
    key_output: int
    width: int


def point_read(select: Select) -> PointRead | None:
    """
    Return what a select is that reads columns of one relation where its key of one column equals a parameter, and asks
    for nothing else; None of any other.
    """
    source = select.source
    if not isinstance(source, FromRelation) or is_derived(source.relation) or not _is_plain(select):
        return None
    key = info(source.relation).primary_key
    conditions = [each for part in select.where for each in conjuncts(part)]
    if len(key) != 1 or len(conditions) != 1 or not all([isinstance(each, Attribute) for each in select.items]):
        return None
    compared = _compared(conditions[0])
    if compared is None or compared[0].column.attribute != key[0].attribute:
        return None
    return _of_list(select, *compared)


def _is_plain(select: Select) -> bool:
    """Whether a select has nothing but items, a source and conditions."""
    given = (
        select.joins, select.group_by, select.having, select.order_by, select.distinct, select.distinct_on,
        select.compound, select.ctes,
    )  # fmt: skip
    return not any(given) and select.limit is None and select.offset is None and select.lock is None


def _of_list(select: Select, item: Attribute[Any, Any], value: Slot) -> PointRead:
    width = len(select.items)
    found = [
        index
        for index, each in enumerate(select.items)
        if isinstance(each, Attribute) and each.column.attribute == item.column.attribute
    ]
    items, columns = select.items, select.columns
    if not found:
        items, columns = (*items, item), (*columns, OutputColumn(item.column.attribute, item.type, False))
    condition: Any = select.where[0]
    listed: Call[bool, Any] = Call(
        "in_list", (item, Slot(0, value.type, many=True)), condition.type, nullable=condition.nullable
    )
    many = evolve(select, items=items, columns=columns, where=(listed,), cached=None)
    return PointRead(many, found[0] if found else width, width)


# -- parts -------------------------------------------------------------------------------------------------------------


def is_derived(relation: Any) -> bool:
    """Whether the store makes the rows of a relation from those of others."""
    storage = info(relation).storage
    return storage is not None and storage.query is not None


def sources(select: Select) -> list[Source]:
    """Return what one select reads."""
    first = [] if select.source is None else [select.source]
    return [*first, *[each.source for each in select.joins]]


def expressions(select: Select) -> Iterator[Expr[Any, Any]]:
    """Give every expression of one select, and those that they are made of."""
    conditions = [each.on for each in select.joins if each.on is not None]
    ordered = [each.expression for each in select.order_by]
    limits = [each for each in (select.limit, select.offset) if each is not None]
    raw = [each for source in sources(select) if isinstance(source, FromRaw) for each in source.operands]
    for group in (
        select.items,
        select.where,
        select.group_by,
        select.having,
        select.distinct_on,
        conditions,
        ordered,
        limits,
        raw,
    ):
        for each in group:
            yield from walk(each)


def conjuncts(condition: Expr[Any, Any]) -> Iterator[Expr[Any, Any]]:
    """Give the conditions all of which a condition asks for."""
    if isinstance(condition, Call) and condition.name == "and":
        for each in condition.operands:
            yield from conjuncts(each)
    else:
        yield condition


def equal_to(conditions: Sequence[Expr[Any, Any]], described: RelationInfo, name: str) -> int | None:
    """Return which parameter a column is required to be equal to; None where there is none."""
    for each in conditions:
        compared = _compared(each)
        if compared is not None:
            item, value = compared
            if item.column.attribute == name and info(item.relation).token == described.token:
                return value.index
    return None


def _compared(condition: Expr[Any, Any]) -> tuple[Attribute[Any, Any], Slot] | None:
    """Return the column and the parameter that a condition requires to be equal."""
    match condition:
        case (
            Call(name="eq", operands=(Attribute() as item, Slot(many=False) as value))
            | Call(name="eq", operands=(Slot(many=False) as value, Attribute() as item))
        ):
            return item, value
        case _:
            return None
