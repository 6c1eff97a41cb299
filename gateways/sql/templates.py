"""
Templates: the text of an operator or function, as data.

`{0}` is the first operand and `{*}` all of them. `{1:glob}` is the second, bound in the form `glob`: a change that the
dialect makes to a parameter before it is bound. Where that operand is no parameter, the template's `computed` text is
used instead.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

from attrs import field, frozen

from gateways.sql.pieces import Rank, Sql, joined, sql, within

__all__ = ["Field", "Render", "Template", "enclosing", "function", "junction", "operator"]


@frozen
class Field:
    """The place of an operand in a template: its position, or None for all; and the form in which it is bound."""

    position: int | None
    form: str | None


Render = Callable[[int, str | None], Sql]
"""Gives the operand at a position, in a form."""

_FIELD: Final = re.compile(r"\{(\d+|\*)(?::(\w+))?\}")
BRANCHES: Final = 64
"""
How many operands a chain of AND or OR has before it is broken up, so that parsers with a limit on depth take long ones.
"""


def _parsed(text: str) -> tuple[str | Field, ...]:
    pieces: list[str | Field] = []
    position = 0
    for found in _FIELD.finditer(text):
        pieces.append(text[position : found.start()])
        pieces.append(Field(None if found[1] == "*" else int(found[1]), found[2]))
        position = found.end()
    pieces.append(text[position:])
    return tuple(each for each in pieces if each != "")


@frozen
class Template:
    """
    The text of an operator or function.

    Attributes:
        text: With fields for the operands.
        rank: How tightly the whole holds together.
        needed: How tightly operands must; looser ones are put into parentheses.
        separator: Between operands of a `{*}`.
        computed: The text where an operand with a form is an expression and not a parameter.
        flat: Whether an operand that is the same operator gives its operands to it: `(a and b) and c` is `a and b and
            c`.
    """

    text: str
    rank: Rank = Rank.ATOM
    needed: Rank = Rank.TEXT
    separator: str = ", "
    computed: "Template | None" = None
    flat: bool = False
    pieces: tuple[str | Field, ...] = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "pieces", _parsed(self.text))

    @property
    def formed(self) -> frozenset[int]:
        """Positions of operands that must be parameters."""
        return frozenset(
            [
                each.position
                for each in self.pieces
                if isinstance(each, Field) and each.form and each.position is not None
            ]
        )

    def render(self, count: int, operand: Render) -> Sql:
        """Fill in the operands, of which there are `count`."""
        parts: list[Sql | str] = []
        for piece in self.pieces:
            if isinstance(piece, str):
                parts.append(piece)
            elif piece.position is None:
                parts.append(self._all([within(operand(each, None), self.needed) for each in range(count)]))
            else:
                parts.append(within(operand(piece.position, piece.form), self.needed))
        return sql(*parts, rank=self.rank)

    def _all(self, operands: Sequence[Sql]) -> Sql:
        if not self.flat or len(operands) <= BRANCHES:
            return joined(operands, self.separator)
        size = max(BRANCHES, -(-len(operands) // BRANCHES))
        groups = [self._all(operands[each : each + size]) for each in range(0, len(operands), size)]
        return joined([sql("(", each, ")") for each in groups], self.separator)


def operator(text: str, *, computed: Template | None = None) -> Template:
    """
    Return the template of an operator: operands that are operators themselves get parentheses, and so does it within
    others.
    """
    return Template(text, Rank.OPERATOR, Rank.ATOM, computed=computed)


def function(text: str, *, computed: Template | None = None) -> Template:
    """Return the template of a function call, or of anything else that encloses its operands."""
    return Template(text, Rank.ATOM, Rank.TEXT, computed=computed)


def enclosing(text: str) -> Template:
    """
    Return the template of what encloses operators over its operands, which are put into parentheses as those of an
    operator are.
    """
    return Template(text, Rank.ATOM, Rank.ATOM)


def junction(separator: str, rank: Rank, needed: Rank) -> Template:
    """Return the template of AND or OR, over any number of operands."""
    return Template("{*}", rank, needed, separator=separator, flat=True)
