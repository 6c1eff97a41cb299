"""
Functions of text: matching, cutting, replacing.

Functions of plain values; NULL does not reach them.
"""

import re
from functools import lru_cache

from gateways.sql.texts import lower

__all__ = ["like", "like_ignoring_case", "replaced", "substring"]

PATTERNS = 512
"""How many compiled patterns are kept."""


def like(text: str, pattern: str) -> bool:
    """
    Match case-sensitively: `%` is any text, `_` one character, and after a backslash every character is ordinary.

    A pattern that ends in a lone backslash matches nothing.
    """
    compiled = _compiled(pattern)
    return compiled is not None and compiled.fullmatch(text) is not None


def like_ignoring_case(text: str, pattern: str) -> bool:
    """As `like`, of both in lower case."""
    return like(lower(text), lower(pattern))


@lru_cache(PATTERNS)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """
    Translate a pattern. Of each part between two `%` the leftmost place is taken for good, so there is no backtracking.
    """
    parts: list[str] = [""]
    characters = iter(pattern)
    for each in characters:
        if each == "%":
            parts.append("")
            continue
        literal = next(characters, None) if each == "\\" else each
        if literal is None:
            return None
        parts[-1] += "." if each == "_" else re.escape(literal)
    first, *middle = parts
    last = f".*{middle.pop()}" if middle else ""
    between = "".join([f"(?>.*?{each})" for each in middle if each])
    return re.compile(f"{first}{between}{last}", re.DOTALL)


def replaced(text: str, old: str, new: str) -> str:
    """Replace each `old`; an empty one is nowhere."""
    return text.replace(old, new) if old else text


def substring(text: str, start: int, size: int | None = None) -> str:
    """
    Return `size` characters from position `start`, which counts from 1 and may lie before the text; none where `size`
    is negative.
    """
    first = max(start - 1, 0)
    return text[first:] if size is None else text[first : max(start - 1 + size, first)]
