"""
Operands of functions, checked: numbers, texts, moments, lists, documents.

An expression goes in; the same expression comes out, or a `QueryError` that says what the function takes.
"""

from collections.abc import Callable
from typing import Any, Final

from mapper import types
from mapper.errors import QueryError
from mapper.expressions import INTEGER, NUMERIC, Expr, Parameter

__all__ = ["document", "listed", "moment", "numeric", "textual", "whole", "without_scale"]

NUMBERS: Final = (types.Integer, types.Float, types.Numeric)
MOMENTS: Final = (types.Timestamp, types.TimestampTz, types.Date)


def numeric(name: str, item: Any) -> Expr[Any, Any]:
    """Return a number: an integer, a float or a decimal."""
    return _required(name, item, lambda each: isinstance(each.type, NUMBERS), "a number", "cast it: .cast(int)")


def textual(name: str, item: Any) -> Expr[Any, Any]:
    """Return a text."""
    return _required(name, item, lambda each: issubclass(each.type.python, str), "text", "cast it: .cast(str)")


def moment(name: str, item: Any) -> Expr[Any, Any]:
    """Return a date or a datetime."""
    expected = "a date or a datetime"
    return _required(name, item, lambda each: isinstance(each.type, MOMENTS), expected, "name a date column")


def listed(name: str, item: Any) -> Expr[Any, Any]:
    """Return a list of single values."""
    expected = "a list of single values"
    return _required(name, item, lambda each: isinstance(each.type, types.List), expected, "name a list column")


def document(name: str, item: Any) -> Expr[Any, Any]:
    """Return a JSON document, or a part of one."""
    return _required(name, item, lambda each: isinstance(each.type, types.Json), "a document", "name a document column")


def whole(value: Any) -> Expr[int, Any]:
    """Return a number of characters or places: a value, or an expression."""
    return value if isinstance(value, Expr) else Parameter(value, INTEGER)


def without_scale(type_: types.StorageType[Any]) -> types.StorageType[Any]:
    """Return the type of what is computed of such numbers, which may need more digits than they have."""
    return NUMERIC if isinstance(type_, types.Numeric) else type_


def _required(name: str, item: Any, fits: Callable[[Expr[Any, Any]], bool], expected: str, hint: str) -> Expr[Any, Any]:
    if not isinstance(item, Expr):
        raise QueryError(f"{name} needs an expression, not {item!r}", hint="name a column, or use literal(value)")
    if not fits(item):
        raise QueryError(f"{name} needs {expected}, and {item!r} is {item.type.python.__name__}", hint=hint)
    return item
