"""
Placeholders of SQL that a user wrote: where they are, and where a question mark is only a character.

Text goes in; the pieces between its placeholders come out. A `?` stands for an operand, `??` for a question mark; in
string literals, quoted names, dollar-quoted text and comments both are left as they are.
"""

import re
from typing import Final

__all__ = ["count_placeholders", "escape_placeholders", "split_placeholders"]

_TOKENS: Final = re.compile(
    r"""
    \b[eE]'(?:[^'\\]|\\.|'')*'          # a string literal with backslashes
    | '(?:[^']|'')*'                    # a string literal
    | "(?:[^"]|"")*"                    # a quoted name
    | `(?:[^`]|``)*`                    # a quoted name, the other way
    | \$\$.*?\$\$                       # dollar-quoted text
    | \$(?P<tag>[A-Za-z_]\w*)\$.*?\$(?P=tag)\$  # the same with a tag
    | --[^\n]*                          # a comment to the end of the line
    | /\*.*?\*/                         # a comment
    | (?P<mark>\?\??)
    """,
    re.VERBOSE | re.DOTALL,
)


def split_placeholders(text: str) -> tuple[str, ...]:
    """Return the pieces of `text` before, between and after its placeholders, in which `??` has become `?`."""
    pieces: list[str] = []
    current: list[str] = []
    position = 0
    for found in _TOKENS.finditer(text):
        mark = found["mark"]
        if mark is None:
            continue
        current.append(text[position : found.start()])
        position = found.end()
        if mark == "??":
            current.append("?")
        else:
            pieces.append("".join(current))
            current = []
    return (*pieces, "".join([*current, text[position:]]))


def count_placeholders(text: str) -> int:
    """Count the operands that `text` takes."""
    return len(split_placeholders(text)) - 1


def escape_placeholders(text: str) -> str:
    """Return text that has no placeholders in a form in which it stands for itself."""
    return _TOKENS.sub(lambda found: "??" * len(found["mark"]) if found["mark"] else found[0], text)
