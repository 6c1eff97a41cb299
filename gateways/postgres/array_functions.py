"""
Operators and functions of arrays that only PostgreSQL has.

Expressions of lists and values go in, expressions come out; a list is one parameter. What every gateway has of lists
is in `mapper`: `Posts.tags.contains("x")` is `'x' = ANY(tags)` here.
"""

from collections.abc import Sequence
from typing import Any, Final, overload

from typing_extensions import TypeVar

from gateways.postgres import arguments
from gateways.postgres.arguments import TEXTS
from gateways.sql import Operators, function, operator
from gateways.sql.dialect import stored
from mapper.errors import QueryError
from mapper.expressions import BOOLEAN, INTEGER, TEXT, Call, Expr, Parameter, operand
from mapper.terms import Certain, SetReturning
from mapper.types import Json, List

__all__ = [
    "ARRAYS",
    "array",
    "array_append",
    "array_cat",
    "array_contained_by",
    "array_contains",
    "array_item",
    "array_length",
    "array_overlaps",
    "array_position",
    "array_positions",
    "array_prepend",
    "array_remove",
    "array_replace",
    "array_slice",
    "array_to_string",
    "string_to_array",
    "unnest",
]

T = TypeVar("T")
R = TypeVar("R")
R2 = TypeVar("R2")
R3 = TypeVar("R3")

ARRAYS: Final[Operators] = {
    "postgres.array": function("ARRAY[{*}]"),
    "postgres.array_contains": operator("{0} @> {1}"),
    "postgres.array_contained_by": operator("{0} <@ {1}"),
    "postgres.array_overlaps": operator("{0} && {1}"),
    "postgres.array_length": function("CAST(cardinality({0}) AS bigint)"),
    "postgres.array_item": operator("({0})[CAST({1} AS int)]"),
    "postgres.array_slice": operator("({0})[CAST({1} AS int):CAST({2} AS int)]"),
    "postgres.array_append": function("array_append({0}, {1})"),
    "postgres.array_prepend": function("array_prepend({0}, {1})"),
    "postgres.array_cat": function("array_cat({0}, {1})"),
    "postgres.array_remove": function("array_remove({0}, {1})"),
    "postgres.array_replace": function("array_replace({0}, {1}, {2})"),
    ("postgres.array_position", 2): function("CAST(array_position({0}, {1}) AS bigint)"),
    ("postgres.array_position", 3): function("CAST(array_position({0}, {1}, CAST({2} AS int)) AS bigint)"),
    "postgres.array_positions": function("CAST(array_positions({0}, {1}) AS bigint[])"),
    ("postgres.array_to_string", 2): function("array_to_string({0}, {1})"),
    ("postgres.array_to_string", 3): function("array_to_string({0}, {1}, {2})"),
    "postgres.string_to_array": function("string_to_array({0}, {1})"),
    "postgres.unnest": function("unnest({0})"),
}
"""The operators and functions of arrays."""


def array(first: Expr[T, R], *more: T | Expr[T, R]) -> Expr[list[T], R]:
    """
    Return a list of expressions and values: `array(Posts.title, Posts.slug, "x")`.

    Raises:
        QueryError: An item is a list or a document.
    """
    items = (first, *[operand(each, first) for each in more])
    return Certain(
        "postgres.array", items, _list_of(first, nullable=any(each.nullable for each in items)), nullable=False
    )


# -- asking -------------------------------------------------------------------------------------------------------------


def array_contains(
    items: Expr[list[T], R] | Expr[list[T] | None, R], others: Sequence[T] | Expr[list[T], R2]
) -> Expr[bool, R | R2]:
    """Whether a list has each of the others, whatever their number and order (`@>`); a GIN index can answer it."""
    return _comparison("array_contains", items, others)


def array_contained_by(
    items: Expr[list[T], R] | Expr[list[T] | None, R], others: Sequence[T] | Expr[list[T], R2]
) -> Expr[bool, R | R2]:
    """Whether each item of a list is one of the others (`<@`); a GIN index can answer it."""
    return _comparison("array_contained_by", items, others)


def array_overlaps(
    items: Expr[list[T], R] | Expr[list[T] | None, R], others: Sequence[T] | Expr[list[T], R2]
) -> Expr[bool, R | R2]:
    """Whether two lists have an item in common (`&&`); a GIN index can answer it."""
    return _comparison("array_overlaps", items, others)


@overload
def array_length(items: Expr[list[Any], R]) -> Expr[int, R]: ...
@overload
def array_length(items: Expr[list[Any] | None, R]) -> Expr[int | None, R]: ...
def array_length(items: Expr[Any, Any]) -> Expr[Any, Any]:
    """Return the number of items, 0 of an empty list."""
    return Call("postgres.array_length", (arguments.listed("array_length", items),), INTEGER, nullable=None)


def array_item(
    items: Expr[list[T], R] | Expr[list[T] | None, R], position: int | Expr[int, R2]
) -> Expr[T | None, R | R2]:
    """Return the item at a position, from 1; NULL where there is none."""
    operands = (arguments.listed("array_item", items), arguments.integer("array_item", position))
    return Call("postgres.array_item", operands, _item_type(items), nullable=True)


def array_position(
    items: Expr[list[T], R] | Expr[list[T] | None, R], item: T | Expr[T, Any], start: int | None = None
) -> Expr[int | None, R]:
    """Return the first position of an item, from 1, looking from `start` on; NULL where it is not there."""
    operands = _with_item("array_position", items, item)
    more = () if start is None else (arguments.integer("array_position", start),)
    return Call("postgres.array_position", (*operands, *more), INTEGER, nullable=True)


@overload
def array_positions(items: Expr[list[T], R], item: T | Expr[T, Any]) -> Expr[list[int], R]: ...
@overload
def array_positions(items: Expr[list[T] | None, R], item: T | Expr[T, Any]) -> Expr[list[int] | None, R]: ...
def array_positions(items: Expr[Any, Any], item: Any) -> Expr[Any, Any]:
    """Return all positions of an item, from 1."""
    operands = _with_item("array_positions", items, item)
    return Call("postgres.array_positions", operands, List(INTEGER), nullable=items.nullable)


# -- changing -----------------------------------------------------------------------------------------------------------


def array_append(items: Expr[list[T], R] | Expr[list[T] | None, R], item: T | Expr[T, Any]) -> Expr[list[T], R]:
    """Return a list with an item behind the others; of NULL, the item alone."""
    operands = _with_item("array_append", items, item)
    return Certain("postgres.array_append", operands, items.type, nullable=False)


def array_prepend(item: T | Expr[T, Any], items: Expr[list[T], R] | Expr[list[T] | None, R]) -> Expr[list[T], R]:
    """Return a list with an item before the others; of NULL, the item alone."""
    known, first = _with_item("array_prepend", items, item)
    return Certain("postgres.array_prepend", (first, known), items.type, nullable=False)


@overload
def array_cat(items: Expr[list[T], R], more: Sequence[T] | Expr[list[T] | None, R2]) -> Expr[list[T], R | R2]: ...
@overload
def array_cat(items: Expr[list[T] | None, R], more: Sequence[T]) -> Expr[list[T], R]: ...
@overload
def array_cat(items: Expr[list[T] | None, R], more: Expr[list[T] | None, R2]) -> Expr[list[T] | None, R | R2]: ...
def array_cat(items: Expr[Any, Any], more: Any) -> Expr[Any, Any]:
    """Return the items of both; NULL counts as no items, unless both are NULL."""
    operands = (arguments.listed("array_cat", items), _others("array_cat", items, more))
    return Call("postgres.array_cat", operands, items.type, nullable=all(each.nullable for each in operands))


@overload
def array_remove(items: Expr[list[T], R], item: T | Expr[T, Any]) -> Expr[list[T], R]: ...
@overload
def array_remove(items: Expr[list[T] | None, R], item: T | Expr[T, Any]) -> Expr[list[T] | None, R]: ...
def array_remove(items: Expr[Any, Any], item: Any) -> Expr[Any, Any]:
    """Return a list without the items that equal one; None takes the NULLs out."""
    operands = _with_item("array_remove", items, item)
    return Call("postgres.array_remove", operands, items.type, nullable=items.nullable)


@overload
def array_replace(items: Expr[list[T], R], old: T | Expr[T, Any], new: T | Expr[T, Any]) -> Expr[list[T], R]: ...
@overload
def array_replace(
    items: Expr[list[T] | None, R], old: T | Expr[T, Any], new: T | Expr[T, Any]
) -> Expr[list[T] | None, R]: ...
def array_replace(items: Expr[Any, Any], old: Any, new: Any) -> Expr[Any, Any]:
    """Return a list in which each item that equals `old` is `new`."""
    known, before = _with_item("array_replace", items, old)
    _, after = _with_item("array_replace", items, new)
    return Call("postgres.array_replace", (known, before, after), items.type, nullable=items.nullable)


@overload
def array_slice(
    items: Expr[list[T], R], first: int | Expr[int, R2], last: int | Expr[int, R3]
) -> Expr[list[T], R | R2 | R3]: ...
@overload
def array_slice(
    items: Expr[list[T] | None, R], first: int | Expr[int, R2], last: int | Expr[int, R3]
) -> Expr[list[T] | None, R | R2 | R3]: ...
def array_slice(items: Expr[Any, Any], first: Any, last: Any) -> Expr[Any, Any]:
    """Return the items from one position to another, both included, from 1; those that are not there are left out."""
    operands = (
        arguments.listed("array_slice", items),
        arguments.integer("array_slice", first),
        arguments.integer("array_slice", last),
    )
    return Call("postgres.array_slice", operands, items.type, nullable=None)


# -- texts and rows -----------------------------------------------------------------------------------------------------


@overload
def array_to_string(items: Expr[list[Any], R], separator: str, null: str | None = None) -> Expr[str, R]: ...
@overload
def array_to_string(
    items: Expr[list[Any] | None, R], separator: str, null: str | None = None
) -> Expr[str | None, R]: ...
def array_to_string(items: Expr[Any, Any], separator: str, null: str | None = None) -> Expr[Any, Any]:
    """Return the items as one text, with a separator between them. NULLs are left out, or stand as `null`."""
    operands = [arguments.listed("array_to_string", items), arguments.text("array_to_string", separator)]
    if null is not None:
        operands.append(arguments.text("array_to_string", null))
    return Call("postgres.array_to_string", tuple(operands), TEXT, nullable=items.nullable)


@overload
def string_to_array(text: Expr[str, R], separator: str) -> Expr[list[str], R]: ...
@overload
def string_to_array(text: Expr[str | None, R], separator: str) -> Expr[list[str] | None, R]: ...
def string_to_array(text: Expr[Any, Any], separator: str) -> Expr[Any, Any]:
    """Return the parts of a text between separators; an empty text has none."""
    operands = (arguments.text("string_to_array", text), arguments.text("string_to_array", separator))
    return Call("postgres.string_to_array", operands, TEXTS, nullable=text.nullable)


def unnest(items: Expr[list[T], R] | Expr[list[T] | None, R]) -> SetReturning[T, R]:
    """
    Make a row of each item: `select(Posts.id, unnest(Posts.tags))`. Rows without items are left out. It is selected, and
    refused elsewhere.
    """
    known = arguments.listed("unnest", items)
    nullable = isinstance(items.type, List) and items.type.nullable
    return SetReturning("postgres.unnest", (known,), _item_type(items), nullable=nullable)


def _comparison(name: str, items: Expr[Any, Any], others: Any) -> Expr[bool, Any]:
    operands = (arguments.listed(name, items), _others(name, items, others))
    return Call(f"postgres.{name}", operands, BOOLEAN, nullable=None)


def _others(name: str, items: Expr[Any, Any], others: Any) -> Expr[Any, Any]:
    return arguments.listed(name, others) if isinstance(others, Expr) else _values(name, items, others)


def _values(name: str, items: Expr[Any, Any], values: Any) -> Expr[Any, Any]:
    if isinstance(values, str | bytes):
        raise QueryError(f"{name} takes a list, not {values!r}", hint="put a single value into a list")
    return Parameter(list(values) if isinstance(values, Sequence) else values, items.type)


def _with_item(name: str, items: Expr[Any, Any], item: Any) -> tuple[Expr[Any, Any], Expr[Any, Any]]:
    known = arguments.listed(name, items)
    return known, item if isinstance(item, Expr) else Parameter(item, _item_type(items))


def _item_type(items: Expr[Any, Any]) -> Any:
    return items.type.item if isinstance(items.type, List) else items.type


def _list_of(item: Expr[Any, Any], *, nullable: bool) -> List:
    if isinstance(stored(item.type), List | Json):
        raise QueryError(f"array takes single values, not {item!r}", hint="make a document: jsonb_build_array(…)")
    return List(item.type, nullable=nullable)
