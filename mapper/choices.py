"""
Expressions of which one is chosen: the branches of a case, the options of a coalesce, the candidates of a greatest.

Values and expressions go in; expressions of one type, which keeps the values of all of them, come out.
"""

from collections.abc import Sequence
from typing import Any

from mapper import types
from mapper.errors import QueryError
from mapper.expressions import FLOAT, NUMERIC, Call, Expr, Parameter

__all__ = ["of_one_type"]


def of_one_type(name: str, options: Sequence[Expr[Any, Any]]) -> tuple[list[Expr[Any, Any]], types.StorageType[Any]]:
    """
    Return expressions of which one is chosen, and the type of what comes out; integers among decimals or floats become
    such.

    Raises:
        QueryError: They are of different kinds.
    """
    known = [each.type for each in options if not _is_null(each)]
    kinds = {type(each) for each in known}
    promoted = next((each for each in (NUMERIC, FLOAT) if kinds == {types.Integer, type(each)}), None)
    type_: types.StorageType[Any] | None = promoted or (known[0] if known else options[0].type)
    for each in known if promoted is None else ():
        type_ = type_ and types.wider(type_, each)
    if type_ is None:
        shown = ", ".join(dict.fromkeys([each.python.__name__ for each in known]))
        raise QueryError(f"{name} of values of different types: {shown}", hint="cast them to one: .cast(str)")
    return [_converted(each, type_) for each in options], type_


def _is_null(value: Expr[Any, Any]) -> bool:
    return type(value) is Parameter and value.parameters == (None,)


def _converted(value: Expr[Any, Any], type_: types.StorageType[Any]) -> Expr[Any, Any]:
    if _is_null(value):
        return Parameter(None, type_)
    if isinstance(value.type, types.Integer) and not isinstance(type_, types.Integer):
        return Call(f"cast:{type_.key}", (value,), type_, nullable=None)
    return value
