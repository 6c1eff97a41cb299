"""
LIKE that tells cases apart.

A pattern of `%` (any text) and `_` (any one character) and a text go in; whether they match comes out. A pattern is
cut at its `%` into parts of fixed length, and the leftmost place of each is taken: no backtracking, whatever the
pattern.
"""

import re
from functools import lru_cache
from typing import Any, TypeAlias

import attrs

__all__ = ["like"]


def like(pattern: Any, text: Any, escape: Any = None) -> bool:
    """
    Whether the whole text matches the pattern; in the pattern the character after `escape` stands for itself.

    Numbers count as their text; bytes match nothing. A pattern that ends in `escape` matches nothing, as in SQLite.

    Raises:
        ValueError: `escape` is not one character.
    """
    if isinstance(text, bytes) or isinstance(pattern, bytes):
        return False
    if escape is not None and (not isinstance(escape, str) or len(escape) != 1):
        raise ValueError(f"found {escape!r} as the escape of LIKE, expected one character")
    compiled = _compiled(str(pattern), escape)
    return compiled is not None and compiled.matches(str(text))


@attrs.frozen
class _Part:
    """A part of fixed length: text to be found, or, where it has `_`, an expression."""

    length: int
    text: str
    expression: re.Pattern[str] | None

    def place(self, text: str, start: int, end: int) -> int:
        """The leftmost place in `text[start:end]`, or -1."""
        if self.expression is None:
            return text.find(self.text, start, end)
        found = self.expression.search(text, start, end)
        return found.start() if found else -1

    def stands(self, text: str, start: int) -> bool:
        """Whether it is at that place."""
        if self.expression is None:
            return text.startswith(self.text, start)
        return self.expression.match(text, start) is not None


@attrs.frozen
class _Pattern:
    """The parts between the `%` of a pattern: the first and the last are tied to the ends of the text."""

    parts: tuple[_Part, ...]

    def matches(self, text: str) -> bool:
        first, *middle = self.parts
        if not middle:
            return len(text) == first.length and first.stands(text, 0)
        last = middle.pop()
        start, end = first.length, len(text) - last.length
        if start > end or not first.stands(text, 0) or not last.stands(text, end):
            return False
        for part in middle:
            place = part.place(text, start, end)
            if place < 0:
                return False
            start = place + part.length
        return True


_Token: TypeAlias = str | None
"""A character that stands for itself, or None for `_`."""


@lru_cache(512)
def _compiled(pattern: str, escape: str | None) -> _Pattern | None:
    """The pattern; None if it ends in its escape."""
    parts: list[list[_Token]] = [[]]
    characters = iter(pattern)
    for character in characters:
        if character == escape:
            literal = next(characters, None)
            if literal is None:
                return None
            parts[-1].append(literal)
        elif character == "%":
            parts.append([])
        else:
            parts[-1].append(None if character == "_" else character)
    return _Pattern(tuple(_part(each) for each in parts))


def _part(tokens: list[_Token]) -> _Part:
    if None not in tokens:
        return _Part(len(tokens), "".join(each or "" for each in tokens), None)
    source = "".join("." if each is None else re.escape(each) for each in tokens)
    return _Part(len(tokens), "", re.compile(source, re.DOTALL))
