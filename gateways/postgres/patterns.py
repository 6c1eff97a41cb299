"""
Regular expressions, patterns and likeness of texts, as PostgreSQL has them.

Texts and patterns go in, expressions come out. A pattern is bound as a parameter. Its letters, and which of them are
the same in upper and lower case, are those of the database's own language, not those of a comparison by code point.
"""

import re
from typing import Any, Final, overload

from typing_extensions import TypeVar

from gateways.postgres import arguments
from gateways.postgres.arguments import TEXTS
from gateways.sql import Operators, function, operator
from mapper.errors import QueryError
from mapper.expressions import BOOLEAN, FLOAT, TEXT, Call, Expr

__all__ = [
    "PATTERNS",
    "ilike",
    "regex",
    "regexp_match",
    "regexp_replace",
    "regexp_split_to_array",
    "regexp_substring",
    "similarity",
    "word_similarity",
]

R = TypeVar("R")
R2 = TypeVar("R2")

_OWN: Final = '{0} COLLATE "default"'
_FLAGS: Final = re.compile(r"[cgimnpqswx]*")

PATTERNS: Final[Operators] = {
    "postgres.regex": operator(f"{_OWN} ~ {{1}}"),
    "postgres.regex_ignoring_case": operator(f"{_OWN} ~* {{1}}"),
    "postgres.regexp_replace": function(f"regexp_replace({_OWN}, {{1}}, {{2}}, {{3}})"),
    "postgres.regexp_match": function(f"regexp_match({_OWN}, {{1}}, {{2}})"),
    "postgres.regexp_substring": function(f"(regexp_match({_OWN}, {{1}}, {{2}}))[1]"),
    "postgres.regexp_split_to_array": function(f"regexp_split_to_array({_OWN}, {{1}}, {{2}})"),
    "postgres.similarity": function("CAST(similarity({0}, {1}) AS float8)"),
    "postgres.word_similarity": function("CAST(word_similarity({0}, {1}) AS float8)"),
}
"""The operators and functions of patterns."""


def ilike(text: Expr[str, R] | Expr[str | None, R], pattern: str | Expr[str, R2]) -> Expr[bool, R | R2]:
    """Match a pattern of `%` and `_`, upper and lower case alike: `text.ilike(pattern)`."""
    return text.ilike(pattern)


def regex(
    text: Expr[str, R] | Expr[str | None, R], pattern: str | Expr[str, R2], *, ignore_case: bool = False
) -> Expr[bool, R | R2]:
    """
    Whether a regular expression matches a part of a text (`~`, and `~*` with `ignore_case`); `~regex(…)` is that it
    does not.

    The expression is one of PostgreSQL's: `^` and `$` are the ends of the whole text.
    """
    name = "postgres.regex_ignoring_case" if ignore_case else "postgres.regex"
    return Call(name, (arguments.text("regex", text), arguments.text("regex", pattern)), BOOLEAN, nullable=None)


@overload
def regexp_replace(
    text: Expr[str, R], pattern: str | Expr[str, Any], replacement: str | Expr[str, Any], flags: str = ""
) -> Expr[str, R]: ...
@overload
def regexp_replace(
    text: Expr[str | None, R], pattern: str | Expr[str, Any], replacement: str | Expr[str, Any], flags: str = ""
) -> Expr[str | None, R]: ...
def regexp_replace(text: Expr[Any, Any], pattern: Any, replacement: Any, flags: str = "") -> Expr[Any, Any]:
    r"""
    Return a text with the first match of a regular expression replaced; with the flag `g`, all matches.

    Args:
        text: The text.
        pattern: The expression.
        replacement: What stands in the place of a match; `\1` is its first group, `\&` the match.
        flags: Letters: `g` all matches, `i` upper and lower case alike, `n` lines apart.

    Raises:
        QueryError: There is no such flag.
    """
    operands = (
        arguments.text("regexp_replace", text),
        arguments.text("regexp_replace", pattern),
        arguments.text("regexp_replace", replacement),
        _flags("regexp_replace", flags),
    )
    return Call("postgres.regexp_replace", operands, TEXT, nullable=None)


def regexp_substring(
    text: Expr[str, R] | Expr[str | None, R], pattern: str | Expr[str, R2], flags: str = ""
) -> Expr[str | None, R | R2]:
    """
    Return the part of a text that a regular expression matches first, or that its first group does, where it has one;
    NULL where it matches nothing.
    """
    return Call("postgres.regexp_substring", _of_match("regexp_substring", text, pattern, flags), TEXT, nullable=True)


def regexp_match(
    text: Expr[str, R] | Expr[str | None, R], pattern: str | Expr[str, R2], flags: str = ""
) -> Expr[list[str | None] | None, R | R2]:
    """
    Return the groups of a regular expression's first match, None for one that took no part; without groups, the match.
    NULL where it matches nothing.
    """
    operands = _of_match("regexp_match", text, pattern, flags)
    return Call("postgres.regexp_match", operands, arguments.OPTIONAL_TEXTS, nullable=True)


@overload
def regexp_split_to_array(text: Expr[str, R], pattern: str | Expr[str, Any], flags: str = "") -> Expr[list[str], R]: ...
@overload
def regexp_split_to_array(
    text: Expr[str | None, R], pattern: str | Expr[str, Any], flags: str = ""
) -> Expr[list[str] | None, R]: ...
def regexp_split_to_array(text: Expr[Any, Any], pattern: Any, flags: str = "") -> Expr[Any, Any]:
    """Return the parts of a text between the matches of a regular expression."""
    operands = _of_match("regexp_split_to_array", text, pattern, flags)
    return Call("postgres.regexp_split_to_array", operands, TEXTS, nullable=None)


def similarity(text: Expr[str, R] | Expr[str | None, R], other: str | Expr[str, R2]) -> Expr[float | None, R | R2]:
    """
    Return how alike two texts are, from 0 to 1, by the groups of three letters that they share. The database needs the
    extension `pg_trgm`.
    """
    operands = (arguments.text("similarity", text), arguments.text("similarity", other))
    return Call("postgres.similarity", operands, FLOAT, nullable=None)


def word_similarity(word: str | Expr[str, R], text: Expr[str, R2] | Expr[str | None, R2]) -> Expr[float | None, R | R2]:
    """
    Return how alike a word and the nearest part of a text are, from 0 to 1. The database needs the extension `pg_trgm`.
    """
    operands = (arguments.text("word_similarity", word), arguments.text("word_similarity", text))
    return Call("postgres.word_similarity", operands, FLOAT, nullable=None)


def _of_match(function: str, text: Any, pattern: Any, flags: str) -> tuple[Expr[Any, Any], ...]:
    if "g" in flags:
        raise QueryError(f"{function} gives one match, and the flag 'g' asks for all", hint="leave the flag away")
    return (arguments.text(function, text), arguments.text(function, pattern), _flags(function, flags))


def _flags(function: str, flags: str) -> Expr[Any, Any]:
    if not isinstance(flags, str) or _FLAGS.fullmatch(flags) is None:
        raise QueryError(f"{function} has no flags {flags!r}", hint="flags are letters of: c g i m n p q s w x")
    return arguments.text(function, flags)
