"""
Arguments of PostgreSQL's functions: expressions of the kind that a function takes, and values as parameters.

What a user gave goes in; an expression comes out, or an error that says what was expected.
"""

from collections.abc import Sequence
from typing import Any, Final

from gateways.sql.dialect import stored
from mapper import types
from mapper.deferred import Deferred
from mapper.errors import QueryError
from mapper.expressions import FLOAT, INTEGER, TEXT, Expr, Parameter, operand

__all__ = ["DOCUMENT", "OPTIONAL_TEXTS", "TEXTS", "boolean", "document", "integer", "listed", "number", "text", "texts"]

DOCUMENT: Final = types.Json()
"""Any JSON value."""

TEXTS: Final = types.List(TEXT)
OPTIONAL_TEXTS: Final = types.List(TEXT, nullable=True)


def text(function: str, value: Any) -> Expr[Any, Any]:
    """Return a text, or an expression of one."""
    return _checked(function, value, "text", str, TEXT)


def integer(function: str, value: Any) -> Expr[Any, Any]:
    """Return a whole number, or an expression of one."""
    return _checked(function, value, "a whole number", int, INTEGER)


def number(function: str, value: Any) -> Expr[Any, Any]:
    """Return a number as a float, or an expression of a number."""
    if isinstance(value, Expr):
        if not isinstance(stored(value.type), types.Integer | types.Float | types.Numeric):
            raise _misfit(function, value, "a number")
        return value
    return Parameter(float(value) if type(value) is int else value, FLOAT)


def boolean(function: str, value: Any) -> Expr[Any, Any]:
    """Return a condition."""
    if not isinstance(value, Expr) or not isinstance(stored(value.type), types.Boolean):
        raise _misfit(function, value, "a condition")
    return value


def listed(function: str, value: Any) -> Expr[Any, Any]:
    """Return an expression of a list."""
    if not isinstance(value, Expr) or not isinstance(stored(value.type), types.List):
        raise _misfit(function, value, "a column or an expression of a list")
    return value


def document(function: str, value: Any) -> Expr[Any, Any]:
    """Return a JSON value, or an expression of one."""
    if not isinstance(value, Expr):
        return Parameter(value, DOCUMENT)
    if not isinstance(stored(value.type), types.Json):
        raise _misfit(function, value, "a JSON document", hint="make it one: to_jsonb(…)")
    return value


def texts(function: str, value: Any) -> Expr[Any, Any]:
    """Return a list of texts as one parameter, or an expression of one."""
    if isinstance(value, Expr):
        if not isinstance(value.type, types.List) or not issubclass(value.type.item.python, str):
            raise _misfit(function, value, "a list of texts")
        return value
    if isinstance(value, Deferred):
        return Parameter(value, TEXTS)
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise _misfit(function, value, "a list of texts")
    return Parameter(list(value), TEXTS)


def _checked(
    function: str, value: Any, expected: str, python: type[Any], storage: types.StorageType[Any]
) -> Expr[Any, Any]:
    if not isinstance(value, Expr):
        return operand(value, Parameter(None, storage))
    kept = stored(value.type).python
    if not issubclass(kept, python) or (python is int and kept is bool):
        raise _misfit(function, value, expected, hint=f"cast it: .cast({python.__name__})")
    return value


def _misfit(function: str, value: Any, expected: str, *, hint: str | None = None) -> QueryError:
    found = f"{value!r}, which is {value.type.python.__name__}" if isinstance(value, Expr) else repr(value)
    return QueryError(f"{function} takes {expected}, not {found}", hint=hint)
