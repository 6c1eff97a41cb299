"""
Functions of text: searching, cutting, padding, joining. They count characters, from 1, and mean the same everywhere.

Expressions and values go in, an expression comes out; where one operand is NULL the value is NULL, unless said
otherwise.
"""

from typing import Any, overload

from typing_extensions import TypeVar

from mapper.errors import QueryError
from mapper.expressions import INTEGER, TEXT, Call, Expr, operand
from mapper.operands import textual, whole
from mapper.terms import literal

__all__ = ["concat", "concat_ws", "left", "lpad", "ltrim", "position", "repeat", "reverse", "right", "rpad", "rtrim"]

R = TypeVar("R")
R2 = TypeVar("R2")
R3 = TypeVar("R3")


@overload
def position(text: Expr[str, R], part: str | Expr[str, R2]) -> Expr[int, R | R2]: ...
@overload
def position(text: Expr[str | None, R], part: str | Expr[str | None, R2]) -> Expr[int | None, R | R2]: ...
def position(text: Expr[Any, Any], part: Any) -> Expr[Any, Any]:
    """Return where `part` begins in the text, from 1; 0 where it is not in it. Case-sensitive."""
    return Call("position", (textual("position", text), _text("position", part, text)), INTEGER, nullable=None)


@overload
def left(text: Expr[str, R], size: int | Expr[int, R2]) -> Expr[str, R | R2]: ...
@overload
def left(text: Expr[str | None, R], size: int | Expr[int, R2]) -> Expr[str | None, R | R2]: ...
def left(text: Expr[Any, Any], size: Any) -> Expr[Any, Any]:
    """Return the first `size` characters; none where it is not positive."""
    return Call("left", (textual("left", text), whole(size)), TEXT, nullable=None)


@overload
def right(text: Expr[str, R], size: int | Expr[int, R2]) -> Expr[str, R | R2]: ...
@overload
def right(text: Expr[str | None, R], size: int | Expr[int, R2]) -> Expr[str | None, R | R2]: ...
def right(text: Expr[Any, Any], size: Any) -> Expr[Any, Any]:
    """Return the last `size` characters; none where it is not positive."""
    return Call("right", (textual("right", text), whole(size)), TEXT, nullable=None)


@overload
def repeat(text: Expr[str, R], times: int | Expr[int, R2]) -> Expr[str, R | R2]: ...
@overload
def repeat(text: Expr[str | None, R], times: int | Expr[int, R2]) -> Expr[str | None, R | R2]: ...
def repeat(text: Expr[Any, Any], times: Any) -> Expr[Any, Any]:
    """Return the text so many times behind itself; an empty one where the number is not positive."""
    return Call("repeat", (textual("repeat", text), whole(times)), TEXT, nullable=None)


@overload
def reverse(text: Expr[str, R]) -> Expr[str, R]: ...
@overload
def reverse(text: Expr[str | None, R]) -> Expr[str | None, R]: ...
def reverse(text: Expr[Any, Any]) -> Expr[Any, Any]:
    """Return the text with its characters in the opposite order."""
    return Call("reverse", (textual("reverse", text),), TEXT, nullable=None)


@overload
def ltrim(text: Expr[str, R]) -> Expr[str, R]: ...
@overload
def ltrim(text: Expr[str | None, R]) -> Expr[str | None, R]: ...
def ltrim(text: Expr[Any, Any]) -> Expr[Any, Any]:
    """Return the text without spaces at its beginning."""
    return Call("ltrim", (textual("ltrim", text),), TEXT, nullable=None)


@overload
def rtrim(text: Expr[str, R]) -> Expr[str, R]: ...
@overload
def rtrim(text: Expr[str | None, R]) -> Expr[str | None, R]: ...
def rtrim(text: Expr[Any, Any]) -> Expr[Any, Any]:
    """Return the text without spaces at its end."""
    return Call("rtrim", (textual("rtrim", text),), TEXT, nullable=None)


@overload
def lpad(text: Expr[str, R], size: int, fill: str = " ") -> Expr[str, R]: ...
@overload
def lpad(text: Expr[str | None, R], size: int, fill: str = " ") -> Expr[str | None, R]: ...
def lpad(text: Expr[Any, Any], size: int, fill: str = " ") -> Expr[Any, Any]:
    """Return the text with `fill` before it, cut to `size` characters; a longer text loses its end."""
    return _padded("lpad", text, size, fill)


@overload
def rpad(text: Expr[str, R], size: int, fill: str = " ") -> Expr[str, R]: ...
@overload
def rpad(text: Expr[str | None, R], size: int, fill: str = " ") -> Expr[str | None, R]: ...
def rpad(text: Expr[Any, Any], size: int, fill: str = " ") -> Expr[Any, Any]:
    """Return the text with `fill` behind it, cut to `size` characters; a longer text loses its end."""
    return _padded("rpad", text, size, fill)


def concat(
    first: Expr[str, R] | Expr[str | None, R], *others: str | Expr[str, R2] | Expr[str | None, R2]
) -> Expr[str, R | R2]:
    """Return texts behind each other, NULL as if it were empty; with `+` one that is NULL makes the whole NULL."""
    whole_: Expr[Any, Any] = _known(textual("concat", first))
    for each in others:
        whole_ = Call("concat", (whole_, _known(_text("concat", each, first))), TEXT, nullable=None)
    return whole_


def concat_ws(separator: str, *texts: str | Expr[str, R] | Expr[str | None, R]) -> Expr[str, R]:
    """Return the texts that are not NULL with a separator between them; an empty text where all are NULL."""
    if not isinstance(separator, str) or not texts:
        raise QueryError(
            f"concat_ws of {separator!r} and {len(texts)} texts, expected a separator and what it separates",
            hint='fn.concat_ws(", ", Users.city, Users.country)',
        )
    whole_: Expr[Any, Any] | None = None
    for each in texts:
        text = textual("concat_ws", literal(each) if isinstance(each, str) else each)
        behind: Expr[Any, Any] = _known(Call("concat", (literal(separator), text), TEXT, nullable=None))
        whole_ = behind if whole_ is None else Call("concat", (whole_, behind), TEXT, nullable=False)
    assert whole_ is not None
    return Call("substring", (whole_, literal(len(separator) + 1)), TEXT, nullable=False)


def _padded(name: str, text: Expr[Any, Any], size: int, fill: str) -> Expr[Any, Any]:
    if not isinstance(size, int) or isinstance(size, bool) or size < 0 or not isinstance(fill, str) or not fill:
        raise QueryError(
            f"{name} to {size!r} characters with {fill!r}, expected a number that is not negative and a text"
        )
    return Call(name, (textual(name, text), literal(size), literal(fill)), TEXT, nullable=None)


def _text(name: str, value: Any, beside: Expr[Any, Any]) -> Expr[Any, Any]:
    return textual(name, operand(value, beside) if isinstance(value, Expr) else literal(value))


def _known(text: Expr[Any, Any]) -> Expr[Any, Any]:
    """Return the text, or an empty one for NULL."""
    return Call("coalesce", (text, literal("")), TEXT, nullable=False) if text.nullable else text
