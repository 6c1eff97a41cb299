"""
Functions of lists and JSON documents.

Expressions and values go in, an expression comes out. Where the list or the document is NULL the value is NULL.
"""

from collections.abc import Iterable
from typing import Any

from typing_extensions import TypeVar

from mapper.errors import QueryError
from mapper.expressions import BOOLEAN, INTEGER, TEXT, Call, Expr, Parameter
from mapper.operands import document, listed

__all__ = ["append", "contains_all", "json_length", "json_type", "overlaps", "remove"]

T = TypeVar("T")
S = TypeVar("S")
R = TypeVar("R")
R2 = TypeVar("R2")


def overlaps(
    items: Expr[list[S], R] | Expr[list[S] | None, R],
    others: Iterable[S] | Expr[list[S], R2] | Expr[list[S] | None, R2],
) -> Expr[bool, R | R2]:
    """Whether a list has an item of another; None among them equals nothing."""
    left = listed("overlaps", items)
    return Call("list_overlaps", (left, _list("overlaps", others, left)), BOOLEAN, nullable=None)


def contains_all(
    items: Expr[list[S], R] | Expr[list[S] | None, R],
    others: Iterable[S] | Expr[list[S], R2] | Expr[list[S] | None, R2],
) -> Expr[bool, R | R2]:
    """Whether a list has every item of another; of an empty one it has. None among them equals nothing."""
    left = listed("contains_all", items)
    return Call("list_contains_all", (left, _list("contains_all", others, left)), BOOLEAN, nullable=None)


def append(items: Expr[T, R], item: Any) -> Expr[T, R]:
    """Return a list with an item more at its end: `set(Posts.tags.to(fn.append(Posts.tags, "new")))`."""
    return Call(
        "list_append", (listed("append", items), _item("append", item, items)), items.type, nullable=items.nullable
    )


def remove(items: Expr[T, R], item: Any) -> Expr[T, R]:
    """Return a list without the items that equal one."""
    return Call(
        "list_remove", (listed("remove", items), _item("remove", item, items)), items.type, nullable=items.nullable
    )


def json_type(part: Expr[Any, R]) -> Expr[str | None, R]:
    """
    Return what a document, or a part of one, is: `object`, `array`, `string`, `number`, `boolean` or `null`; NULL
    where there is none. So it tells JSON's null from the absence of a value.
    """
    return Call("json_type", (document("json_type", part),), TEXT, nullable=True)


def json_length(part: Expr[Any, R]) -> Expr[int | None, R]:
    """Return the number of items of an array; NULL of anything else."""
    return Call("json_length", (document("json_length", part),), INTEGER, nullable=True)


def _list(name: str, value: Any, beside: Expr[Any, Any]) -> Expr[Any, Any]:
    if isinstance(value, Expr):
        return listed(name, value)
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise QueryError(f"{name} takes a list, not {value!r}", hint="put a single value into a list")
    return Parameter(list(value), beside.type)


def _item(name: str, value: Any, items: Expr[Any, Any]) -> Expr[Any, Any]:
    if value is None:
        raise QueryError(f"{name} of None: NULL is no item that is equal to another", hint="assign the whole list")
    return value if isinstance(value, Expr) else Parameter(value, items.type.item)  # type: ignore[attr-defined]  # a list's
