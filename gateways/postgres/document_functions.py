"""
PostgreSQL's functions of JSON documents: building, changing and taking them apart, and JSON paths.

Expressions of documents and values go in; documents, texts and conditions come out. Values and paths are bound as
parameters.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, LiteralString, get_args, overload

from typing_extensions import TypeVar

from gateways.postgres import arguments
from gateways.postgres.arguments import DOCUMENT
from gateways.postgres.documents import Jsonb, document_annotation, json_value, path_parts
from gateways.sql import Operators, function
from mapper.deferred import Deferred
from mapper.errors import QueryError
from mapper.expressions import BOOLEAN, INTEGER, TEXT, Call, Expr, Parameter
from mapper.terms import Certain, SetReturning, literal
from mapper.types import Json

__all__ = [
    "DOCUMENT_FUNCTIONS",
    "jsonb_array_elements",
    "jsonb_array_elements_text",
    "jsonb_array_length",
    "jsonb_build_array",
    "jsonb_build_object",
    "jsonb_insert",
    "jsonb_object_keys",
    "jsonb_path_exists",
    "jsonb_path_match",
    "jsonb_path_query",
    "jsonb_path_query_array",
    "jsonb_path_query_first",
    "jsonb_set",
    "jsonb_strip_nulls",
    "jsonb_typeof",
    "to_jsonb",
]

T = TypeVar("T")
R = TypeVar("R")
R2 = TypeVar("R2")
T_co = TypeVar("T_co", covariant=True)
R_co = TypeVar("R_co", covariant=True, default=Any)

_PATH: Final = "({0}, CAST({1} AS jsonpath), {2}, {3})"

DOCUMENT_FUNCTIONS: Final[Operators] = {
    "postgres.to_jsonb": function("to_jsonb({0})"),
    "postgres.jsonb_build_object": function("jsonb_build_object({*})"),
    "postgres.jsonb_build_array": function("jsonb_build_array({*})"),
    "postgres.jsonb_set": function("jsonb_set_lax({0}, {1}, {2}, {3}, 'use_json_null')"),
    "postgres.jsonb_insert": function("jsonb_insert({0}, {1}, coalesce({2}, CAST('null' AS jsonb)), {3})"),
    "postgres.jsonb_strip_nulls": function("jsonb_strip_nulls({0})"),
    "postgres.jsonb_typeof": function("jsonb_typeof({0})"),
    "postgres.jsonb_array_length": function("CAST(jsonb_array_length({0}) AS bigint)"),
    "postgres.jsonb_array_elements": function("jsonb_array_elements({0})"),
    "postgres.jsonb_array_elements_text": function("jsonb_array_elements_text({0})"),
    "postgres.jsonb_object_keys": function("jsonb_object_keys({0})"),
    "postgres.jsonb_path_exists": function(f"jsonb_path_exists{_PATH}"),
    "postgres.jsonb_path_match": function(f"jsonb_path_match{_PATH}"),
    "postgres.jsonb_path_query": function(f"jsonb_path_query{_PATH}"),
    "postgres.jsonb_path_query_first": function(f"jsonb_path_query_first{_PATH}"),
    "postgres.jsonb_path_query_array": function(f"jsonb_path_query_array{_PATH}"),
}
"""The functions of documents."""


class _Built(Jsonb[T_co, R_co], Certain[T_co, R_co]):
    """A new document, which is there whatever it is made of."""

    __slots__ = ()


# -- building -----------------------------------------------------------------------------------------------------------


def to_jsonb(value: Expr[T, R]) -> Jsonb[T, R]:
    """
    Return a value as a document; a NULL stays NULL.

    Raises:
        QueryError: JSON has no form of such values that could be read back.
    """
    annotation = document_annotation("to_jsonb", value)
    return Jsonb("postgres.to_jsonb", (value,), Json(annotation), nullable=value.nullable)


def jsonb_build_object(**members: object) -> Jsonb[dict[str, Any], Any]:
    """
    Return an object with these members: expressions, whose NULL is null, and values.

    Which relations they read is not in the type, and found out when the query is compiled.
    """
    operands = [part for key, value in members.items() for part in (literal(key), _member(value))]
    return _Built("postgres.jsonb_build_object", tuple(operands), Json(dict[str, Any]), nullable=False)


def jsonb_build_array(*items: object) -> Jsonb[list[Any], Any]:
    """Return an array of these items: expressions, whose NULL is null, and values; as `jsonb_build_object` otherwise."""
    operands = tuple([_member(each) for each in items])
    return _Built("postgres.jsonb_build_array", operands, Json(list[Any]), nullable=False)


# -- changing -----------------------------------------------------------------------------------------------------------


@overload
def jsonb_set(
    document: Expr[T, R], path: Sequence[str | int], value: Expr[Any, R2], *, create: bool = True
) -> Jsonb[T, R | R2]: ...
@overload
def jsonb_set(
    document: Expr[T, R], path: Sequence[str | int], value: object, *, create: bool = True
) -> Jsonb[T, R]: ...
def jsonb_set(
    document: Expr[Any, Any], path: Sequence[str | int], value: Any, *, create: bool = True
) -> Jsonb[Any, Any]:
    """
    Return a document with another value at a path.

    Args:
        document: The document.
        path: Keys, and positions from 0, from the end where negative.
        value: A value, or an expression of one; None and NULL become null, and never empty the whole document.
        create: Whether a last step that is not there is added; steps before it are not.
    """
    operands: tuple[Expr[Any, Any], ...] = (
        arguments.document("jsonb_set", document),
        path_parts("jsonb_set", path),
        _converted(value),
        Parameter(create, BOOLEAN),
    )
    return Jsonb("postgres.jsonb_set", operands, document.type, nullable=document.nullable)


@overload
def jsonb_insert(
    document: Expr[T, R], path: Sequence[str | int], value: Expr[Any, R2], *, after: bool = False
) -> Jsonb[T, R | R2]: ...
@overload
def jsonb_insert(
    document: Expr[T, R], path: Sequence[str | int], value: object, *, after: bool = False
) -> Jsonb[T, R]: ...
def jsonb_insert(
    document: Expr[Any, Any], path: Sequence[str | int], value: Any, *, after: bool = False
) -> Jsonb[Any, Any]:
    """
    Return a document with a value inserted: before the item of an array at the path, or behind it with `after`, or as a
    member of an object that it must not have yet. None and NULL become null.
    """
    operands: tuple[Expr[Any, Any], ...] = (
        arguments.document("jsonb_insert", document),
        path_parts("jsonb_insert", path),
        _converted(value),
        Parameter(after, BOOLEAN),
    )
    return Jsonb("postgres.jsonb_insert", operands, document.type, nullable=document.nullable)


def jsonb_strip_nulls(document: Expr[T, R]) -> Jsonb[T, R]:
    """Return a document without the members, at any depth, that are null."""
    known = arguments.document("jsonb_strip_nulls", document)
    return Jsonb("postgres.jsonb_strip_nulls", (known,), document.type, nullable=None)


# -- asking -------------------------------------------------------------------------------------------------------------


def jsonb_typeof(document: Expr[Any, R]) -> Expr[str | None, R]:
    """Return `object`, `array`, `string`, `number`, `boolean` or `null`; NULL of NULL."""
    known = arguments.document("jsonb_typeof", document)
    return Call("postgres.jsonb_typeof", (known,), TEXT, nullable=document.nullable)


def jsonb_array_length(document: Expr[Any, R]) -> Expr[int | None, R]:
    """Return the number of items of an array; of anything else the store makes an error."""
    known = arguments.document("jsonb_array_length", document)
    return Call("postgres.jsonb_array_length", (known,), INTEGER, nullable=document.nullable)


# -- taking apart -------------------------------------------------------------------------------------------------------


@overload
def jsonb_array_elements(document: Expr[list[T], R] | Expr[list[T] | None, R]) -> SetReturning[T, R]: ...
@overload
def jsonb_array_elements(document: Expr[Any, R]) -> SetReturning[Any, R]: ...
def jsonb_array_elements(document: Expr[Any, Any]) -> SetReturning[Any, Any]:
    """Make a row of each item of an array. It is selected, and refused elsewhere."""
    known = arguments.document("jsonb_array_elements", document)
    items = get_args(known.type.annotation) if isinstance(known.type, Json) and known.type.python is list else ()
    type_ = Json(items[0]) if items else DOCUMENT
    return SetReturning("postgres.jsonb_array_elements", (known,), type_, nullable=False)


def jsonb_array_elements_text(document: Expr[Any, R]) -> SetReturning[str | None, R]:
    """Make a row of each item of an array, as text; null is NULL. It is selected, and refused elsewhere."""
    known = arguments.document("jsonb_array_elements_text", document)
    return SetReturning("postgres.jsonb_array_elements_text", (known,), TEXT, nullable=True)


def jsonb_object_keys(document: Expr[Any, R]) -> SetReturning[str, R]:
    """Make a row of each key of an object. It is selected, and refused elsewhere."""
    known = arguments.document("jsonb_object_keys", document)
    return SetReturning("postgres.jsonb_object_keys", (known,), TEXT, nullable=False)


# -- JSON paths ---------------------------------------------------------------------------------------------------------


def jsonb_path_exists(
    document: Expr[Any, R],
    path: LiteralString | Expr[str, Any],
    variables: Mapping[str, object] | None = None,
    *,
    silent: bool = False,
) -> Expr[bool, R]:
    """
    Whether a JSON path finds anything: `jsonb_path_exists(Posts.data, "$.sizes[*] ? (@ > $min)", {"min": 3})`.

    Args:
        document: The document.
        path: A path of SQL/JSON.
        variables: Values of the names that the path has behind `$`.
        silent: Whether an error of the path, such as a missing member of a strict one, is NULL instead.
    """
    operands = _of_path(document, path, variables, silent)
    return Call("postgres.jsonb_path_exists", operands, BOOLEAN, nullable=True if silent else None)


def jsonb_path_match(
    document: Expr[Any, R],
    path: LiteralString | Expr[str, Any],
    variables: Mapping[str, object] | None = None,
    *,
    silent: bool = False,
) -> Expr[bool | None, R]:
    """Whether a JSON path that is a predicate holds; NULL where that is unknown. See `jsonb_path_exists`."""
    return Call("postgres.jsonb_path_match", _of_path(document, path, variables, silent), BOOLEAN, nullable=True)


def jsonb_path_query(
    document: Expr[Any, R],
    path: LiteralString | Expr[str, Any],
    variables: Mapping[str, object] | None = None,
    *,
    silent: bool = False,
) -> SetReturning[Any, R]:
    """
    Make a row of each document that a JSON path finds; see `jsonb_path_exists`. It is selected, and refused elsewhere.
    """
    operands = _of_path(document, path, variables, silent)
    return SetReturning("postgres.jsonb_path_query", operands, DOCUMENT, nullable=False)


def jsonb_path_query_first(
    document: Expr[Any, R],
    path: LiteralString | Expr[str, Any],
    variables: Mapping[str, object] | None = None,
    *,
    silent: bool = False,
) -> Jsonb[Any, R]:
    """Return the first document that a JSON path finds, NULL where it finds none. See `jsonb_path_exists`."""
    operands = _of_path(document, path, variables, silent)
    return Jsonb("postgres.jsonb_path_query_first", operands, DOCUMENT, nullable=True)


def jsonb_path_query_array(
    document: Expr[Any, R],
    path: LiteralString | Expr[str, Any],
    variables: Mapping[str, object] | None = None,
    *,
    silent: bool = False,
) -> Jsonb[list[Any], R]:
    """Return an array of all documents that a JSON path finds. See `jsonb_path_exists`."""
    operands = _of_path(document, path, variables, silent)
    return Jsonb("postgres.jsonb_path_query_array", operands, Json(list[Any]), nullable=None)


def _of_path(
    document: Expr[Any, Any], path: Any, variables: Mapping[str, object] | None, silent: bool
) -> tuple[Expr[Any, Any], ...]:
    known = arguments.document("a JSON path", document)
    values: object = variables if isinstance(variables, Deferred) else dict(variables or {})
    return (known, arguments.text("a JSON path", path), Parameter(values, DOCUMENT), Parameter(silent, BOOLEAN))


def _converted(value: Any) -> Expr[Any, Any]:
    """Return a value as a document; an expression that is none is converted."""
    if not isinstance(value, Expr) or isinstance(value.type, Json):
        return json_value(value)
    return Call("postgres.to_jsonb", (value,), DOCUMENT, nullable=value.nullable)


def _member(value: object) -> Expr[Any, Any]:
    """Return a member of a new document: an expression as it is, a value as a document, so that it is one exactly."""
    if isinstance(value, Expr):
        return value
    if isinstance(value, Deferred):
        raise QueryError(f"the type of {value!r} cannot be told here", hint="give the argument to where or set instead")
    return json_value(value)
