"""
SQL in the making: text and the places of parameters, in the order in which they will stand.

Because a parameter's place is a part of the text, parameters cannot be bound in another order than that of the text,
however it was put together.
"""

from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum
from typing import Any, Final, TypeAlias

from attrs import frozen

from mapper.types import StorageType

__all__ = ["Bind", "Place", "Rank", "Sql", "Written", "enclosed", "joined", "spliced", "sql", "within", "written"]


class Rank(IntEnum):
    """How tightly a piece of SQL holds together; what is looser than its surroundings need is put into parentheses."""

    TEXT = 0
    """The user's own text, of which nothing is known."""
    OR = 1
    AND = 2
    OPERATOR = 3
    """Comparisons, arithmetic, NOT: they never nest without parentheses."""
    ATOM = 4


@frozen(eq=False)
class Bind:
    """
    The place of a parameter.

    Attributes:
        index: Its position among the statement's parameters; a slice for several that are bound as one.
        types: The storage type; for a slice, one for each of its parameters.
        form: The name of the dialect's form in which it is bound: as it is encoded, as a list, as a pattern …
        beside: What it is compared with or assigned to, as a message names it (`Posts.visits`), and whether that is
            sensitive.
        column: The attribute name of that column.
        required: Whether None is refused instead of bound as NULL.
    """

    index: int | slice
    types: tuple[StorageType[Any], ...]
    form: str = "value"
    beside: "Place | None" = None
    required: bool = False

    @property
    def type(self) -> StorageType[Any]:
        """The storage type of the one parameter, or of the first."""
        return self.types[0]

    @property
    def many(self) -> bool:
        """Whether it is bound as a list."""
        return self.form != "value"


@frozen
class Place:
    """A column as messages name it."""

    relation: str
    attribute: str
    sensitive: bool = False

    def __str__(self) -> str:
        return f"{self.relation}.{self.attribute}"


Part: TypeAlias = str | Bind


class Sql:
    """A piece of SQL: its parts, and how tightly it holds together."""

    __slots__ = ("parts", "rank")

    def __init__(self, parts: tuple[Part, ...], rank: Rank = Rank.ATOM) -> None:
        self.parts = parts
        self.rank = rank

    def __repr__(self) -> str:
        return f"<Sql {''.join(['?' if isinstance(each, Bind) else each for each in self.parts])}>"


NOTHING: Final = Sql(())


def sql(*parts: "Sql | Part", rank: Rank = Rank.ATOM) -> Sql:
    """Put pieces together."""
    flat: list[Part] = []
    for each in parts:
        if isinstance(each, Sql):
            flat.extend(each.parts)
        else:
            flat.append(each)
    return Sql(tuple(flat), rank)


def joined(pieces: Iterable[Sql], separator: str, rank: Rank = Rank.ATOM) -> Sql:
    """Put pieces together with a separator between them."""
    flat: list[Part] = []
    for each in pieces:
        if flat:
            flat.append(separator)
        flat.extend(each.parts)
    return Sql(tuple(flat), rank)


def enclosed(piece: Sql) -> Sql:
    """Put a piece into parentheses."""
    return sql("(", piece, ")")


def within(piece: Sql, needed: Rank) -> Sql:
    """Put a piece into parentheses where it is looser than needed."""
    return piece if piece.rank >= needed else enclosed(piece)


def spliced(texts: Sequence[str], operands: Sequence[Sql], rank: Rank = Rank.TEXT) -> Sql:
    """Put operands between texts, of which there is one more."""
    parts: list[Sql | Part] = [texts[0]]
    for operand, text in zip(operands, texts[1:], strict=True):
        parts.extend((within(operand, Rank.ATOM), text))
    return sql(*parts, rank=rank)


@frozen(eq=False)
class Written:
    """Finished SQL: the text, and its parameters' places in the order of the text."""

    text: str
    binds: tuple[Bind, ...]


def written(piece: Sql, placeholder: Callable[[int, Bind], str]) -> Written:
    """Finish a piece. `placeholder` gives the text that stands for a place; it is called with its number, from 1."""
    texts: list[str] = []
    binds: list[Bind] = []
    for part in piece.parts:
        if isinstance(part, Bind):
            binds.append(part)
            texts.append(placeholder(len(binds), part))
        else:
            texts.append(part)
    return Written("".join(texts), tuple(binds))
