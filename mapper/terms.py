"""
Terms that are no operator: text in the store's own language, columns of an enclosing query, incoming values, constants.

Expressions and values go in; an expression comes out.
"""

from collections.abc import Callable
from typing import Any, LiteralString, Never, overload

from typing_extensions import TypeVar

from mapper import types
from mapper.deferred import Deferred
from mapper.errors import QueryError
from mapper.expressions import TEXT, Attribute, Call, Expr, Parameter, Take
from mapper.placeholders import count_placeholders, split_placeholders
from mapper.types import StorageType
from mapper.wording import Style, Words

__all__ = [
    "Certain",
    "Excluded",
    "Fragment",
    "Outer",
    "Present",
    "SetReturning",
    "excluded",
    "fragment",
    "literal",
    "outer",
]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True, default=Any)


class Fragment(Expr[T_co, R_co]):
    """Text of the user's own, with `?` for each operand and `??` for a literal question mark."""

    __slots__ = ("operands", "text")

    def __init__(
        self, text: str, operands: tuple[Expr[Any, Any], ...], type_: StorageType[Any], *, nullable: bool
    ) -> None:
        self.text = text
        self.operands = operands
        self.type = type_
        self.nullable = nullable
        self.key = f"fragment[{len(text)}:{text}]({','.join([each.key for each in operands])})"
        self.parameters = tuple([value for each in operands for value in each.parameters])

    @property
    def children(self) -> tuple[Expr[Any, Any], ...]:
        return self.operands

    def numbered(self, take: Take) -> "Fragment[T_co, R_co]":
        return self.mapped(lambda each: each.numbered(take))

    def mapped(self, change: Callable[[Expr[Any, Any]], Expr[Any, Any]]) -> "Fragment[T_co, R_co]":
        return Fragment(self.text, tuple([change(each) for each in self.operands]), self.type, nullable=self.nullable)

    def worded(self, style: Style) -> Words:
        operands = [str(each.worded(style)) for each in self.operands]
        pieces = split_placeholders(self.text)
        whole = "".join([text for pair in zip(pieces, [*operands, ""], strict=False) for text in pair])
        return Words(f"({whole})")


class Outer(Expr[T_co, Never]):
    """A column of the enclosing query, within a subquery. It asks nothing of the subquery's own relations."""

    __slots__ = ("attribute",)

    def __init__(self, attribute: Attribute[T_co, Any]) -> None:
        self.attribute = attribute
        self.key = f"outer({attribute.key})"
        self.parameters = ()
        self.type = attribute.type
        self.nullable = attribute.nullable

    def worded(self, style: Style) -> Words:
        return style.outer(self.attribute)


class Excluded(Expr[T_co, R_co]):
    """The incoming value of a column, in the update of an upsert."""

    __slots__ = ("attribute",)

    def __init__(self, attribute: Attribute[T_co, R_co]) -> None:
        self.attribute = attribute
        self.key = f"excluded({attribute.key})"
        self.parameters = ()
        self.type = attribute.type
        self.nullable = attribute.nullable

    def worded(self, style: Style) -> Words:
        return style.excluded(self.attribute)


class Present(Expr[int, R_co]):
    """
    A mark that rows of a relation have, and that is NULL where an outer join has none.

    Attributes:
        relation: The relation, or the alias of one.
        token: Its identity in structural keys.
    """

    __slots__ = ("relation", "token")

    def __init__(self, relation: Any, token: str) -> None:
        self.relation = relation
        self.token = token
        self.key = f"present({token})"
        self.parameters = ()
        self.type = types.Integer()
        self.nullable = True


class Certain(Call[T_co, R_co]):
    """A function that is never NULL, whatever its operands are: a list or a document that is made of them."""

    __slots__ = ()


class SetReturning(Call[T_co, R_co]):
    """
    A function that gives any number of values: selected, it makes a row of each. It stands among what a select gives,
    and nowhere else.
    """

    __slots__ = ()


def outer(attribute: Attribute[T, Any]) -> Expr[T, Never]:
    """Return a column of the enclosing query, for use within a subquery."""
    return Outer(attribute)


def excluded(attribute: Attribute[T, R]) -> Expr[T, R]:
    """Return the incoming value of a column, for `on_conflict(set_=…, where=…)`."""
    return Excluded(attribute)


def literal(value: T) -> Expr[T, Never]:
    """Return a constant as an expression."""
    return Parameter(value, _inferred(value))


@overload
def fragment(type_: type[T], text: LiteralString, *operands: Expr[Any, R]) -> Expr[T, R]: ...
@overload
def fragment(type_: type[T], text: LiteralString, *operands: object) -> Expr[T, Any]: ...
def fragment(type_: Any, text: str, *operands: object) -> Expr[Any, Any]:
    """
    Return an expression in the store's own language: `fragment(str, "lower(?)", Posts.title)`.

    Args:
        type_: The Python type of its value; `str | None` where it can be NULL.
        text: A literal string with a `?` for each operand; `??` is a literal question mark.
        operands: Expressions, which are compiled in place, and values, which are bound.

    Raises:
        QueryError: The numbers of placeholders and operands differ.
    """
    storage, nullable = types.infer(type_)
    wanted = count_placeholders(text)
    if wanted != len(operands):
        raise QueryError(
            f"fragment {text!r} has {wanted} placeholders and {len(operands)} operands",
            hint="write '??' for a literal question mark",
        )
    parts = tuple([each if isinstance(each, Expr) else Parameter(each, _inferred(each)) for each in operands])
    return Fragment(text, parts, storage, nullable=nullable)


def _inferred(value: object) -> StorageType[Any]:
    if value is None:
        return TEXT
    if isinstance(value, Deferred):
        raise QueryError(
            f"the type of {value!r} cannot be told here", hint="compare it with a column, or cast the other side"
        )
    return types.infer(type(value))[0]
