"""
What the expressions of a write may contain: columns of its own relation, refs of its own changeset, and values.

Assignments and conditions go in as the user wrote them; checked ones come out, or a `QueryError`, before anything is
sent.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from mapper.assembly import walk
from mapper.columns import ColumnInfo
from mapper.deferred import KeyPart, Placeholder, Ref
from mapper.errors import NotJoined, QueryError
from mapper.expressions import BOOLEAN, Attribute, Expr, Omitted, Parameter
from mapper.layouts import assigned_columns
from mapper.relation import RelationInfo, info
from mapper.terms import Excluded, Outer
from mapper.writes import Assigned, ConflictRule, refs_in

__all__ = ["checked_assignments", "checked_condition", "checked_ref", "conflict_rule"]


def checked_ref(ref: Ref[Any], owner: object) -> Ref[Any]:
    """
    Return a ref that may stand for a value in the changeset with this owner.

    Raises:
        QueryError: It is of another changeset, or its key is not one value.
    """
    if ref.owner is not owner:
        raise QueryError(
            f"{ref!r} is of another changeset", hint="a ref is a value in its own changeset; elsewhere take result[ref]"
        )
    columns = info(ref.relation).primary_key
    if len(columns) != 1 and not isinstance(ref, KeyPart):
        raise QueryError(
            f"{ref!r} stands for a key of {len(columns)} columns, not for one value",
            hint="assign the columns of the key one by one",
        )
    return ref


def checked_assignments(
    described: RelationInfo,
    assignments: Sequence[Any],
    owner: object,
    *,
    excluded: bool = False,
    source: RelationInfo | None = None,
) -> list[Assigned]:
    """
    Return columns and the expressions that they are assigned, for an update.

    Args:
        described: The relation.
        assignments: As given.
        owner: Of the changeset, for refs.
        excluded: Whether incoming values may be named, as in the update of an upsert.
        source: The common table of other rows, whose columns may be named.

    Raises:
        QueryError: An assignment is to another relation's column, to a version or generated column, comes twice, or
            takes a value that cannot be in it.
    """
    columns = assigned_columns(described, assignments)
    for each in columns:
        if each.version:
            raise _counted(described, each)
    pairs = [(column, each.expression) for column, each in zip(columns, assignments, strict=True)]
    for _, expression in pairs:
        _check(described, expression, owner, excluded=excluded, source=source)
    return pairs


def _counted(described: RelationInfo, column: ColumnInfo) -> QueryError:
    return QueryError(
        f"{described.relation.__name__}.{column.attribute} counts the writes of a row and cannot be assigned",
        hint="leave it out: every update raises it",
    )


def checked_condition(
    described: RelationInfo,
    condition: object,
    owner: object,
    *,
    excluded: bool = False,
    source: RelationInfo | None = None,
) -> Expr[bool, Any]:
    """
    Return a condition over rows of one relation; arguments as of `checked_assignments`.

    Raises:
        QueryError: It is no condition, or takes a value that cannot be in it.
        NotJoined: It names a column of another relation.
    """
    if not isinstance(condition, Expr):
        hint = "use & | ~ instead of 'and' 'or' 'not'"
        raise QueryError(f"{condition!r} is not a condition", hint=hint)
    if condition.type != BOOLEAN:
        raise QueryError(f"{condition!r} is not a condition but {condition.type.python.__name__}", hint="compare it")
    if isinstance(condition, Omitted) or (isinstance(condition, Parameter) and condition.parameters == (True,)):
        what = "omitted" if isinstance(condition, Omitted) else "true of every row, as all_of([]) is"
        raise QueryError(
            f"the condition of a write is {what}, so that it may touch more rows than was meant",
            hint="leave where(...) away and say everywhere(), if all rows are meant",
        )
    _check(described, condition, owner, excluded=excluded, source=source)
    return condition


def _check(
    described: RelationInfo,
    expression: Expr[Any, Any],
    owner: object,
    *,
    excluded: bool,
    source: RelationInfo | None = None,
) -> None:
    for each in walk(expression):
        match each:
            case Attribute() if source is not None and info(each.relation).token == source.token:
                pass
            case Attribute():
                _check_own(described, each)
            case Excluded(attribute=attribute) if excluded:
                _check_own(described, attribute)
            case Excluded() | Outer():
                raise QueryError(f"{each!r} has no meaning here", hint=_MEANINGS[type(each)])
            case _:
                pass
    for value in expression.parameters:
        if isinstance(value, Ref):
            checked_ref(value, owner)
        elif isinstance(value, Placeholder):
            raise QueryError(f"{value!r} stands in a changeset, and only prepared queries have placeholders")


_MEANINGS = {
    Excluded: "excluded(…) is the incoming value in on_conflict(set_=…, where=…)",
    Outer: "outer(…) is a column of the enclosing query in a subquery",
}


def _check_own(described: RelationInfo, attribute: Attribute[Any, Any]) -> None:
    if described.attributes.get(attribute.column.attribute) is not attribute:
        name = described.relation.__name__
        raise NotJoined(
            f"{attribute!r} is not a column of {name}, whose rows are written",
            relation=attribute.relation,
            hint=f"use columns of {name}, and a subquery for others: {name}.{described.columns[0].attribute}.in_(select(…))",
        )


def conflict_rule(
    described: RelationInfo,
    columns: Sequence[Any],
    update: Iterable[Any],
    set_: Sequence[Any],
    where: object,
    owner: object,
) -> ConflictRule:
    """
    Return the rule of an `on_conflict`.

    Raises:
        QueryError: The columns are no key and no unique constraint, or the update is wrong.
    """
    target = tuple([_own_column(described, each, "on_conflict") for each in columns])
    incoming = [_incoming(described, each) for each in update]
    assigned = [*incoming, *checked_assignments(described, set_, owner, excluded=True)]
    _refuse_twice(described, [column for column, _ in assigned])
    _check_target(described, target, updates=bool(assigned))
    condition = None if where is None else checked_condition(described, where, owner, excluded=True)
    if condition is not None and not assigned:
        raise QueryError("on_conflict has a condition and nothing to update", hint="give update=[…] or set_=[…]")
    values = [value for _, each in assigned for value in each.parameters]
    values += condition.parameters if condition is not None else ()
    return ConflictRule(described, target, tuple(assigned), condition, tuple(refs_in(values)))


def _own_column(described: RelationInfo, attribute: object, where: str) -> ColumnInfo:
    if isinstance(attribute, Attribute) and described.attributes.get(attribute.column.attribute) is attribute:
        return attribute.column
    raise QueryError(
        f"{where} takes columns of {described.relation.__name__}, not {attribute!r}",
        hint=f"name one: {described.relation.__name__}.{described.columns[0].attribute}",
    )


def _incoming(described: RelationInfo, attribute: Any) -> Assigned:
    column = _own_column(described, attribute, "update")
    if column.version:
        raise _counted(described, column)
    if column.options.generated is not None:
        raise QueryError(f"{attribute!r} is generated by the store", hint="leave it out")
    return column, Excluded(attribute)


def _refuse_twice(described: RelationInfo, columns: Sequence[ColumnInfo]) -> None:
    for index, each in enumerate(columns):
        if each in columns[:index]:
            raise QueryError(f"{described.relation.__name__}.{each.attribute} is updated twice", hint="update it once")


def _check_target(described: RelationInfo, target: Sequence[ColumnInfo], *, updates: bool) -> None:
    name = described.relation.__name__
    if not target:
        if updates:
            hint = f"name the columns of a key or unique constraint: on_conflict({name}.{described.columns[0].attribute}, …)"
            raise QueryError(f"on_conflict of {name} updates, and does not say on which conflict", hint=hint)
        return
    known = unique_sets(described)
    wanted = frozenset([each.attribute for each in target])
    if wanted not in [frozenset(each) for each in known]:
        listed = "; ".join(", ".join(each) for each in known) or "none"
        raise QueryError(
            f"({', '.join([each.attribute for each in target])}) is no key and no unique constraint of {name}, which has: {listed}",
            hint="declare it: column(unique=True), or indexes=[Unique(…)]",
        )


def unique_sets(described: RelationInfo) -> list[tuple[str, ...]]:
    """Return the columns of the key, of each unique constraint and of each unique index, by attribute name."""
    key = [tuple([each.attribute for each in described.primary_key])] if described.primary_key else []
    return [
        *key,
        *[each.columns for each in described.uniques],
        *[each.columns for each in described.indexes if each.unique and each.columns],
    ]
