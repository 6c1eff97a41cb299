"""
JSON documents with PostgreSQL's own operators: `jsonb(Posts.data)["tags"][0].text()`.

An expression of a document, or a value, goes in; a `Jsonb` comes out, whose methods are the operators of `jsonb`. Keys,
paths and values are bound as parameters.
"""

from collections.abc import Sequence
from typing import Any, Final, LiteralString, Never, overload

from typing_extensions import TypeVar

from gateways.postgres import arguments
from gateways.postgres.arguments import DOCUMENT, TEXTS
from gateways.sql import Operators, operator
from gateways.sql.templates import enclosing
from mapper import types
from mapper.errors import QueryError
from mapper.expressions import BOOLEAN, TEXT, Call, Expr, Parameter
from mapper.terms import Fragment
from mapper.types import Integer, Json

__all__ = ["DOCUMENTS", "Jsonb", "document_annotation", "json_value", "jsonb", "path_parts"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
R = TypeVar("R")
R2 = TypeVar("R2")
R_co = TypeVar("R_co", covariant=True, default=Any)

DOCUMENTS: Final[Operators] = {
    "postgres.jsonb": enclosing("{0}"),
    "postgres.jsonb_get": operator("{0} -> {1}"),
    ("postgres.jsonb_get", Integer): operator("{0} -> CAST({1} AS int)"),
    "postgres.jsonb_text": operator("{0} ->> {1}"),
    ("postgres.jsonb_text", Integer): operator("{0} ->> CAST({1} AS int)"),
    "postgres.jsonb_at": operator("{0} #> {1}"),
    "postgres.jsonb_text_at": operator("{0} #>> {1}"),
    ("postgres.jsonb_text_at", 1): operator("{0} #>> '{}'"),
    "postgres.jsonb_contains": operator("{0} @> {1}"),
    "postgres.jsonb_contained_by": operator("{0} <@ {1}"),
    "postgres.jsonb_has_key": operator("{0} ? {1}"),
    "postgres.jsonb_has_any": operator("{0} ?| {1}"),
    "postgres.jsonb_has_all": operator("{0} ?& {1}"),
    "postgres.jsonb_concat": operator("{0} || {1}"),
    "postgres.jsonb_without": operator("{0} - {1}"),
    ("postgres.jsonb_without", Integer): operator("{0} - CAST({1} AS int)"),
    "postgres.jsonb_without_path": operator("{0} #- {1}"),
    "postgres.jsonb_path_found": operator("{0} @? CAST({1} AS jsonpath)"),
    "postgres.jsonb_path_holds": operator("{0} @@ CAST({1} AS jsonpath)"),
}
"""The operators of documents."""


class Jsonb(Call[T_co, R_co]):
    """
    A document, with PostgreSQL's operators.

    Compared with a value it is compared as a document: `jsonb(Posts.data)["size"] == 3`. What is not there is NULL,
    which is not the null of JSON.
    """

    __slots__ = ()

    def __getitem__(self, key: str | int | Expr[str, Any] | Expr[int, Any]) -> "Jsonb[Any, R_co]":
        """Return the member of an object, or the item of an array, from 0, from the end where negative (`->`)."""
        return _document("jsonb_get", (self, _key(key)))

    def path(self, *steps: str | int) -> "Jsonb[Any, R_co]":
        """Return what is at a path of keys and positions (`#>`)."""
        return _document("jsonb_at", (self, path_parts("path", steps)))

    def text(self, *path: str | int) -> Expr[str | None, R_co]:
        """
        Return what is at a path as text: a string without its quotes, anything else as JSON (`->>`, `#>>`). NULL where
        it is not there, or is null.
        """
        if not path:
            return Call("postgres.jsonb_text_at", (self,), TEXT, nullable=True)
        if len(path) == 1:
            return Call("postgres.jsonb_text", (self, _key(path[0])), TEXT, nullable=True)
        return Call("postgres.jsonb_text_at", (self, path_parts("text", path)), TEXT, nullable=True)

    def typed(self, type_: type[T]) -> "Jsonb[T | None, R_co]":
        """
        Return the same document, read as a value of a type: anything that a document's column may be declared as. It is
        None where there is nothing, or null.
        """
        storage = Json(type_ | None)
        return Jsonb(f"postgres.jsonb::{storage.key}", (self,), storage, nullable=True)

    def contains(self, part: object) -> Expr[bool, R_co]:  # type: ignore[override]  # of documents, not of text
        """Whether it has all members or items of a document, at any order, their own contents too (`@>`)."""
        return _condition("jsonb_contains", (self, json_value(part)))

    def contained_by(self, document: object) -> Expr[bool, R_co]:
        """Whether a document has all of its members or items (`<@`)."""
        return _condition("jsonb_contained_by", (self, json_value(document)))

    def has_key(self, key: str | Expr[str, Any]) -> Expr[bool, R_co]:
        """Whether it is an object with a key, or an array with a string (`?`)."""
        return _condition("jsonb_has_key", (self, arguments.text("has_key", key)))

    def has_any(self, keys: Sequence[str] | Expr[list[str], Any]) -> Expr[bool, R_co]:
        """Whether it has any of the keys; see `has_key` (`?|`)."""
        return _condition("jsonb_has_any", (self, arguments.texts("has_any", keys)))

    def has_all(self, keys: Sequence[str] | Expr[list[str], Any]) -> Expr[bool, R_co]:
        """Whether it has all of the keys; see `has_key` (`?&`)."""
        return _condition("jsonb_has_all", (self, arguments.texts("has_all", keys)))

    @overload
    def concat(self, document: Expr[Any, R2]) -> "Jsonb[T_co, R_co | R2]": ...
    @overload
    def concat(self, document: object) -> "Jsonb[T_co, R_co]": ...
    def concat(self, document: Any) -> "Jsonb[Any, Any]":
        """
        Return it with the members of another object, which win, or the items of another array (`||`). Members of
        members are not joined.
        """
        other = json_value(document)
        return Jsonb("postgres.jsonb_concat", (self, other), self.type, nullable=None)

    def without(self, *keys: str | int) -> "Jsonb[T_co, R_co]":
        """Return it without members of these keys, or without the item at one position (`-`)."""
        if len(keys) == 1:
            return Jsonb("postgres.jsonb_without", (self, _key(keys[0])), self.type, nullable=None)
        if not keys or not all(isinstance(each, str) for each in keys):
            raise QueryError(f"without takes keys, or one position, not {keys!r}")
        return Jsonb("postgres.jsonb_without", (self, Parameter(list(keys), TEXTS)), self.type, nullable=None)

    def without_path(self, *path: str | int) -> "Jsonb[T_co, R_co]":
        """Return it without what is at a path (`#-`)."""
        return Jsonb("postgres.jsonb_without_path", (self, path_parts("without_path", path)), self.type, nullable=None)

    def path_exists(self, path: LiteralString | Expr[str, Any]) -> Expr[bool | None, R_co]:
        """
        Whether a JSON path finds anything (`@?`); an index can answer it. It is NULL where the document does not have
        the form that the path needs. Values for a path go to `jsonb_path_exists`.
        """
        operands = (self, arguments.text("path_exists", path))
        return Call("postgres.jsonb_path_found", operands, BOOLEAN, nullable=True)

    def path_matches(self, path: LiteralString | Expr[str, Any]) -> Expr[bool | None, R_co]:
        """Whether a JSON path that is a predicate holds (`@@`), NULL where that cannot be told; see `path_exists`."""
        operands = (self, arguments.text("path_matches", path))
        return Call("postgres.jsonb_path_holds", operands, BOOLEAN, nullable=True)


@overload
def jsonb(document: Expr[T, R]) -> Jsonb[T, R]: ...  # type: ignore[overload-overlap]  # a value is no expression
@overload
def jsonb(document: T) -> Jsonb[T, Never]: ...
def jsonb(document: Any) -> Jsonb[Any, Any]:
    """
    Return a document with the operators of PostgreSQL's `jsonb`.

    Args:
        document: A column or an expression that is stored as a document, or a value that JSON can hold; None is null.

    Raises:
        QueryError: The expression is no document.
    """
    if isinstance(document, Jsonb):
        return document
    known = json_value(document) if not isinstance(document, Expr) else arguments.document("jsonb", document)
    return Jsonb("postgres.jsonb", (known,), known.type, nullable=None)


def json_value(value: Any) -> Expr[Any, Any]:
    """Return a document, a value as one (None as null), or an expression of a document."""
    if value is None:
        return Fragment("CAST('null' AS jsonb)", (), DOCUMENT, nullable=False)
    return arguments.document("jsonb", value)


def path_parts(function: str, path: Sequence[str | int]) -> Expr[Any, Any]:
    """Return a path as one parameter: keys, and positions as text."""
    if isinstance(path, str) or not all(isinstance(each, str | int) and not isinstance(each, bool) for each in path):
        raise QueryError(f"{function} takes a path of keys and positions, not {path!r}")
    return Parameter([str(each) for each in path], TEXTS)


def document_annotation(function: str, item: Expr[Any, Any]) -> Any:
    """
    Return the type as which an expression's value is read from a document.

    Raises:
        QueryError: JSON has no form of such values that reads back as the same.
    """
    found = _annotation(item.type)
    if found is None:
        raise QueryError(
            f"{function} takes what JSON can hold, not {item!r}, which is {item.type.python.__name__}",
            hint="cast it: .cast(str)",
        )
    return found | None if item.nullable else found


def _annotation(type_: types.StorageType[Any]) -> Any:
    match type_:
        case Json():
            return Any if type_.annotation is None else type_.annotation
        case types.List():
            item = _annotation(type_.item)
            return None if item is None else list[item | None if type_.nullable else item]  # type: ignore[misc]  # as is known at run time
        case types.Enumeration() if type_.by == "value" and isinstance(type_.stored, types.Text | types.Integer):
            return type_.python
        case _ if isinstance(type_, _PLAIN):
            return type_.python
        case _:
            return None


_PLAIN: Final = (
    types.Boolean,
    types.Char,
    types.Date,
    types.Float,
    types.Integer,
    types.Numeric,
    types.Text,
    types.Time,
    types.Timestamp,
    types.TimestampTz,
    types.Uuid,
    types.Varchar,
)
"""Types of single values that JSON shows as they are read from it."""


def _key(key: Any) -> Expr[Any, Any]:
    if isinstance(key, int) and not isinstance(key, bool):
        return arguments.integer("jsonb", key)
    if isinstance(key, Expr) and issubclass(key.type.python, int):
        return arguments.integer("jsonb", key)
    if isinstance(key, str | Expr):
        return arguments.text("jsonb", key)
    raise QueryError(f"{key!r} is no key of an object and no position in an array", hint="give a text or a number")


def _document(name: str, operands: tuple[Expr[Any, Any], ...]) -> Jsonb[Any, Any]:
    return Jsonb(f"postgres.{name}", operands, DOCUMENT, nullable=True)


def _condition(name: str, operands: tuple[Expr[Any, Any], ...]) -> Expr[bool, Any]:
    return Call(f"postgres.{name}", operands, BOOLEAN, nullable=None)
