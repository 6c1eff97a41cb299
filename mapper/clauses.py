"""
What goes into the clauses of a query, checked: conditions, expressions, orders, numbers of rows.

Arguments as the user gave them go in; expressions come out, or a `QueryError` that says what was expected.
"""

from typing import Any

from mapper.deferred import Deferred
from mapper.errors import QueryError
from mapper.expressions import BOOLEAN, INTEGER, Expr, Order, Parameter, require_type

__all__ = ["condition", "expression", "number", "term"]


def condition(value: Any) -> Expr[Any, Any]:
    """Return a condition: an expression of type bool."""
    if isinstance(value, Expr):
        if value.type is BOOLEAN or value.type == BOOLEAN:
            return value
        raise QueryError(
            f"{value!r} is not a condition but {value.type.python.__name__}", hint="compare it with something"
        )
    hint = (
        "use & | ~ instead of 'and' 'or' 'not'; a comparison of an attribute with a value of another type may have "
        "given a plain bool"
    )
    raise QueryError(f"{value!r} is not a condition", hint=hint)


def expression(value: Any, where: str) -> Expr[Any, Any]:
    """Return an expression; `where` is the clause that it stands in, for the message."""
    if isinstance(value, Expr):
        require_type(value, f"it stands in {where}")
        return value
    raise QueryError(f"{where} takes expressions, not {value!r}", hint="name a column: Posts.title")


def term(value: Any) -> Order[Any]:
    """Return a term of an order; an expression alone is ascending."""
    found = value if isinstance(value, Order) else Order(expression(value, "order_by"), descending=False)
    require_type(found.expression, "rows are ordered by it")
    return found


def number(name: str, value: Any) -> Expr[int, Any]:
    """Return a number of rows; `name` is what it is the number of."""
    if isinstance(value, Deferred):
        return Parameter(value, INTEGER)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise QueryError(f"{name} is {value!r}, expected a number of rows", hint="give an integer that is not negative")
    return Parameter(value, INTEGER)
