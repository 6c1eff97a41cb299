"""
Reads in which one expression stands in several places that the store must recognise as one: what rows are grouped by,
told apart by, ordered by.

A store compares such expressions with their parameters, and two parameters are two, whatever their values. So a read
with its values goes in, and an operation comes out in which equal values of one type are one parameter.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from attrs import frozen

from gateways.sql.dialect import Dialect
from gateways.sql.pieces import Bind, Sql
from gateways.sql.plans import CompiledSelect, Plans
from mapper.operations import QuerySql

__all__ = ["SharingSelect"]

VARIANTS: Final = 16
"""How many texts are kept of one read, one for each pattern of equal values."""

ITEMS: Final = 32
"""Up to how many items lists are compared; longer ones are never shared."""


@frozen(eq=False)
class Variant:
    """A text in which some places share a parameter, and the places whose values are bound, in order."""

    sql: str
    bound: tuple[int, ...]


class SharingSelect:
    """
    A read whose text depends on which of its values are equal.

    Args:
        piece: Its text and places.
        whole: The same with a parameter for each place.
        dialect: Gives the text of a place.
    """

    __slots__ = ("_casts", "_dialect", "_piece", "_variants", "_whole")

    def __init__(self, piece: Sql, whole: CompiledSelect, dialect: Dialect) -> None:
        self._piece = piece
        self._whole = whole
        self._dialect = dialect
        self._casts = [dialect.placeholder(0, each) for each in piece.parts if isinstance(each, Bind)]
        self._variants: Plans[Variant] = Plans(VARIANTS)

    def operation(self, parameters: Sequence[Any]) -> QuerySql:
        """
        Return the operation with these values.

        Raises:
            ValueNotStorable: One of them is refused.
        """
        operation = self._whole.operation(parameters)
        pattern = self._pattern(operation.parameters)
        if len(set(pattern)) == len(pattern):
            return operation
        variant = self._variants.get(pattern, partial(self._variant, pattern))
        values = tuple([operation.parameters[each] for each in variant.bound])
        return QuerySql(variant.sql, values, operation.columns, reads=operation.reads)

    def _pattern(self, values: Sequence[Any]) -> tuple[int, ...]:
        """Return for each place the first one with the same value and type."""
        first: dict[Any, int] = {}
        return tuple(
            [
                first.setdefault((cast, type(value), _exact(value)), place)
                for place, (cast, value) in enumerate(zip(self._casts, values, strict=True))
            ]
        )

    def _variant(self, pattern: tuple[int, ...]) -> Variant:
        numbers = {place: number for number, place in enumerate(dict.fromkeys(pattern), 1)}
        texts: list[str] = []
        places = iter(pattern)
        for part in self._piece.parts:
            texts.append(self._dialect.placeholder(numbers[next(places)], part) if isinstance(part, Bind) else part)
        return Variant("".join(texts), tuple(numbers))


def _exact(value: Any) -> Any:
    """Return what is equal for values that are stored alike, and for no others: `1.0` and `1.00` differ as decimals."""
    if isinstance(value, str | bytes | int | None):
        return value
    if isinstance(value, list | tuple | dict) and len(value) > ITEMS:
        return id(value)
    return repr(value)
