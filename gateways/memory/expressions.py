"""
Compiling expressions to functions.

An expression tree and the scope of its columns go in; a `Compute` comes out: a function of a row and the statement's
values, made once a plan. None is NULL throughout.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from operator import contains
from typing import Any, Final

from gateways.memory import arithmetic, functions, lists, logic, text
from gateways.memory.casts import cast, day_of, plain
from gateways.memory.computing import Compute, MissingRow, Values, constant, getter
from gateways.memory.scope import Scope, not_joined, outer_place
from gateways.sql import texts
from gateways.sql.shapes import flat
from mapper.capabilities import unsupported_function
from mapper.errors import QueryError, StatementError, Unsupported
from mapper.expressions import Attribute, Call, Expr, ListParameter, Parameter, RowValue, Slot, Subquery
from mapper.functions import Aggregate, Window
from mapper.terms import Excluded, Fragment, Outer, Present
from mapper.types import Json, List

__all__ = ["compile_condition", "compile_expression", "conjuncts", "freezer", "row_of"]


def compile_expression(expression: Expr[Any, Any], scope: Scope) -> Compute:
    """
    Compile an expression.

    Raises:
        NotJoined: A column's relation is not a source.
        Unsupported: It has text of the user's own.
        QueryError: An aggregate stands where there are no groups.
    """
    path = scope.place(expression)
    if path is not None:
        return _mark(getter(path)) if isinstance(expression, Present) else getter(path)
    match expression:
        case Call():
            return _call(expression, scope)
        case Slot():
            return _slot(expression, scope)
        case Attribute():
            raise not_joined(expression, scope)
        case Present():
            return constant(1)
        case Parameter():
            return constant(_encoded(expression, scope))
        case Outer():
            return _outer(expression, scope)
        case RowValue():
            return row_of([compile_expression(each, scope) for each in expression.items])
        case Subquery():
            return _subquery(expression, scope)
        case Fragment():
            raise Unsupported("sql", "memory", hint="write it with operators and mapper.fn")
        case Aggregate() | Window():
            raise QueryError(
                f"{expression.key} stands where there are no groups of rows",
                hint="use it in select, having or order_by",
            )
        case Excluded():
            raise QueryError(
                f"{expression.key} stands outside of on_conflict", hint="use it in set_= or where= of on_conflict"
            )
        case _:
            raise Unsupported("sql", "memory", f"{type(expression).__name__} is not understood by the memory gateway")


def compile_condition(conditions: tuple[Expr[bool, Any], ...], scope: Scope) -> Compute | None:
    """Compile conditions that must all hold; None where there is none."""
    parts = [compile_expression(each, scope) for each in conditions]
    return logic.all_of(parts) if parts else None


def conjuncts(conditions: tuple[Expr[bool, Any], ...]) -> list[Expr[bool, Any]]:
    """Take conditions apart at their `AND`s."""
    found: list[Expr[bool, Any]] = []
    for each in conditions:
        if isinstance(each, Call) and each.name == "and":
            found.extend(conjuncts(each.operands))
        else:
            found.append(each)
    return found


def row_of(parts: list[Compute]) -> Compute:
    """Return the tuple of several values."""
    match parts:
        case [only]:
            return lambda row, values: (only(row, values),)
        case [first, second]:
            return lambda row, values: (first(row, values), second(row, values))
        case _:
            return lambda row, values: tuple([each(row, values) for each in parts])


def freezer(expression: Expr[Any, Any]) -> Callable[[Any], Any] | None:
    """Return what makes a value of the expression fit for a hash table, or None where it is."""
    if isinstance(plain(expression.type), Json | List):
        return frozen_value
    return None


def frozen_value(value: Any) -> Any:
    """Return a value that can be hashed and is equal where the value is."""
    if isinstance(value, list | tuple):
        return tuple([frozen_value(each) for each in value])
    if isinstance(value, dict):
        return frozenset([(key, frozen_value(each)) for key, each in value.items()])
    return value


def _mark(source: Compute) -> Compute:
    """Return the mark of a source's rows: NULL where an outer join has none."""
    return lambda row, values: None if type(source(row, values)) is MissingRow else 1


def _slot(slot: Slot, scope: Scope) -> Compute:
    index = scope.compilation.slot(slot)
    return lambda row, values: values[index]


def _encoded(parameter: Parameter[Any], scope: Scope) -> Any:
    value = parameter.parameters[0]
    return None if value is None else scope.compilation.codecs.encoder(parameter.type)(value)


def _outer(expression: Outer[Any], scope: Scope) -> Compute:
    level, path = outer_place(scope, expression.attribute)
    scope.compilation.outer_levels.append(level)
    inner = getter(path)
    return lambda row, values: inner(values[-1].outers[level], values)


def _subquery(expression: Subquery[Any, Any], scope: Scope) -> Compute:
    rows = scope.compilation.subplan(expression.query, scope).rows

    def only(row: Any, values: Values) -> Any:
        found = rows(row, values, 2)
        if len(found) > 1:
            raise StatementError(
                f"a subquery used as one value gave several rows: {expression.key}",
                hint="limit it, or aggregate its rows",
            )
        return found[0][0] if found else None

    return only if expression.kind == "scalar" else lambda row, values: bool(rows(row, values, 1))


def _call(call: Call[Any, Any], scope: Scope) -> Compute:
    scope.compilation.beside(call.operands)
    if call.name.startswith("cast:"):
        return logic.strict(cast(call.type), [compile_expression(call.operands[0], scope)])
    special = _SPECIAL.get(call.name)
    if special is not None:
        return special(call, scope)
    build, function = _BUILDERS.get(call.name), _FUNCTIONS.get(call.name) or functions.parametrised(call)
    if build is not None:
        return build(*[compile_expression(each, scope) for each in call.operands])
    if function is None:
        raise unsupported_function(call.name, "memory", hint="write it with operators and mapper.fn")
    return logic.strict(function, [compile_expression(each, scope) for each in call.operands])


def _comparison(call: Call[Any, Any], scope: Scope) -> Compute:
    left, right = call.operands
    if isinstance(left, RowValue) and isinstance(right, RowValue):
        return logic.compare_rows(
            call.name,
            [compile_expression(each, scope) for each in left.items],
            [compile_expression(each, scope) for each in right.items],
        )
    return logic.compare(call.name, compile_expression(left, scope), compile_expression(right, scope))


def _arithmetic(call: Call[Any, Any], scope: Scope) -> Compute:
    return logic.strict(
        arithmetic.operation(call.name, plain(call.type)), [compile_expression(each, scope) for each in call.operands]
    )


def _all_of(call: Call[Any, Any], scope: Scope) -> Compute:
    return logic.all_of([compile_expression(each, scope) for each in conjuncts((call,))])


def _any_of(call: Call[Any, Any], scope: Scope) -> Compute:
    return logic.any_of([compile_expression(each, scope) for each in flat("or", call.operands)])


def _listed(call: Call[Any, Any], scope: Scope) -> Compute:
    item, listed = call.operands
    negative = call.name.startswith("not_")
    if isinstance(item, RowValue):
        parts = [compile_expression(each, scope) for each in item.items]
        position = _rows_position(item, listed, scope)
        return lists.not_in_row_list(parts, position) if negative else lists.in_row_list(parts, position)
    position = scope.compilation.prepare(_list_position(listed, scope), lists.lookup)
    compute = compile_expression(item, scope)
    if negative:
        return lists.not_in_list(compute, position)
    return lists.in_values(compute, position) if call.name.endswith("_or_null") else lists.in_list(compute, position)


def _rows_position(item: RowValue[Any, Any], listed: Expr[Any, Any], scope: Scope) -> int:
    """Return where the rows are that a row value is compared with: made of parallel lists, or of one list of tuples."""
    if isinstance(listed, Slot):
        index = scope.compilation.slot(listed, [each.type for each in item.items])
        return scope.compilation.prepare(index, lists.RowSet)
    positions = tuple([_list_position(each, scope) for each in listed.children])
    return scope.compilation.prepare(positions, lists.row_lookup)


def _list_position(listed: Expr[Any, Any], scope: Scope) -> int:
    if isinstance(listed, Slot):
        return scope.compilation.slot(listed)
    if isinstance(listed, ListParameter):
        encode = scope.compilation.codecs.encoder(listed.type)
        known = tuple([None if each is None else encode(each) for each in listed.parameters[0]])
        return scope.compilation.prepare((), lambda _: known)
    raise QueryError(f"{listed.key} is not a list", hint="give values, or a query")


def _in_query(call: Call[Any, Any], scope: Scope) -> Compute:
    item, query = call.operands
    assert isinstance(query, Subquery)
    subplan = scope.compilation.subplan(query.query, scope)
    parts = [compile_expression(each, scope) for each in (item.items if isinstance(item, RowValue) else (item,))]
    if len(parts) != len(query.query.items):
        raise QueryError(f"{len(parts)} values are compared with a query of {len(query.query.items)} columns")
    compare = lists.not_in_rows if call.name.startswith("not_") else lists.in_rows

    def contained(row: Any, values: Values) -> bool | None:
        return compare(tuple([each(row, values) for each in parts]), subplan.made(row, values, lists.RowSet))

    return contained


def _null_test(call: Call[Any, Any], scope: Scope) -> Compute:
    (operand,) = call.operands
    parts = [
        compile_expression(each, scope) for each in (operand.items if isinstance(operand, RowValue) else (operand,))
    ]
    if call.name == "is_null":
        return lambda row, values: all([each(row, values) is None for each in parts])
    return lambda row, values: all([each(row, values) is not None for each in parts])


def _case(call: Call[Any, Any], scope: Scope) -> Compute:
    parts = [compile_expression(each, scope) for each in call.operands]
    otherwise = parts.pop() if len(parts) % 2 else constant(None)
    branches = list(zip(parts[::2], parts[1::2], strict=True))

    def chosen(row: Any, values: Values) -> Any:
        for condition, value in branches:
            if condition(row, values) is True:
                return value(row, values)
        return otherwise(row, values)

    return chosen


def _coalesce(*operands: Compute) -> Compute:
    def first(row: Any, values: Values) -> Any:
        for each in operands:
            x = each(row, values)
            if x is not None:
                return x
        return None

    return first


def _nullif(value: Compute, unwanted: Compute) -> Compute:
    equal = logic.compare("eq", value, unwanted)
    return lambda row, values: None if equal(row, values) is True else value(row, values)


def _not_equal_or_not_null(left: Compute, right: Compute) -> Compute:
    """Return `!=` whose right side may be NULL at run time, which means `IS NOT NULL` then."""

    def differs(row: Any, values: Values) -> bool | None:
        x, y = left(row, values), right(row, values)
        if y is None:
            return x is not None
        return None if x is None else bool(x != y)

    return differs


def _distinct(left: Compute, right: Compute) -> Compute:
    equal = logic.same(left, right)
    return lambda row, values: not equal(row, values)


def _utc(value: Any) -> Any:
    aware = isinstance(value, datetime) and value.tzinfo is not None
    return value.astimezone(UTC) if aware else value


_BUILDERS: Final[dict[str, Callable[..., Compute]]] = {
    "not": logic.negation,
    "between": logic.between,
    "is_not_true": lambda x: lambda row, values: x(row, values) is not True,
    "is_not_distinct": logic.same,
    "is_distinct": _distinct,
    "ne_or_not_null": _not_equal_or_not_null,
    "coalesce": _coalesce,
    "nullif": _nullif,
    "now": lambda: lambda row, values: values[-1].now,
}
"""Functions that are given compiled operands, because NULL is more to them than an unknown value."""

_SPECIAL: Final[dict[str, Callable[[Call[Any, Any], Scope], Compute]]] = {
    **dict.fromkeys(logic.COMPARISONS, _comparison),
    **dict.fromkeys(("add", "sub", "mul", "div", "mod"), _arithmetic),
    **dict.fromkeys(("in_list", "not_in_list", "in_list_or_null", "not_in_list_or_null"), _listed),
    **dict.fromkeys(("in_query", "not_in_query"), _in_query),
    **dict.fromkeys(("is_null", "is_not_null"), _null_test),
    "and": _all_of,
    "or": _any_of,
    "case": _case,
}
"""Functions that look at their operands before these are compiled."""

_FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "concat": lambda x, y: x + y,
    "like": text.like,
    "ilike": text.like_ignoring_case,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
    "contains": contains,
    "list_contains": contains,
    "lower": texts.lower,
    "upper": texts.upper,
    "trim": lambda x: x.strip(" "),
    "length": len,
    "replace": text.replaced,
    "substring": text.substring,
    "abs": arithmetic.absolute,
    "round": arithmetic.round_to,
    "floor": arithmetic.round_down,
    "ceil": arithmetic.round_up,
    "date": day_of,
    "year": lambda x: _utc(x).year,
    "month": lambda x: _utc(x).month,
    "day": lambda x: _utc(x).day,
    "hour": lambda x: _utc(x).hour,
    "minute": lambda x: _utc(x).minute,
    "second": lambda x: _utc(x).second,
    **functions.FUNCTIONS,
}
"""Functions of plain values, NULL where one of these is."""
