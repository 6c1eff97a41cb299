"""
`Row`: the values of one row by attribute, for models that are mapped by hand.

`row[Posts.title]` has the type of the column; a column that was not read is an error that lists those that were.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import frozen
from typing_extensions import TypeVar

from mapper.errors import QueryError

if TYPE_CHECKING:
    from mapper.expressions import Attribute

__all__ = ["Row", "RowLayout"]

T = TypeVar("T")


@frozen
class RowLayout:
    """
    Where the values of a row are; shared by all rows of a query.

    Attributes:
        positions: For the key of an attribute the position of its value.
        names: The columns' names, by position.
        sensitive: Positions of values that are not shown.
    """

    positions: Mapping[Hashable, int]
    names: tuple[str, ...]
    sensitive: frozenset[int]

    @classmethod
    def of(cls, positions: Mapping[Hashable, int], columns: Sequence[tuple[str, bool]]) -> "RowLayout":
        """Make a layout of columns, each a name and whether it is sensitive."""
        sensitive = frozenset([position for position, (_, hidden) in enumerate(columns) if hidden])
        return cls(dict(positions), tuple([name for name, _ in columns]), sensitive)


class Row:
    """
    One row of a relation, its values decoded.

    `row[Posts.title]` is a column's value. Rows are equal where their columns and values are.
    """

    __slots__ = ("_layout", "_values")

    def __init__(self, values: tuple[Any, ...], layout: RowLayout) -> None:
        self._values = values
        self._layout = layout

    def __getitem__(self, attribute: "Attribute[T, Any]") -> T:
        """
        Return the value of a column.

        Raises:
            QueryError: The column was not read.
        """
        position = self._layout.positions.get(attribute.key)
        if position is None:
            names = ", ".join(self._layout.names)
            raise QueryError(f"{attribute!r} is not in the row", hint=f"the columns that were read are: {names}")
        value: T = self._values[position]
        return value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Row):
            return NotImplemented
        return self._values == other._values and self._layout.positions == other._layout.positions

    def __hash__(self) -> int:
        return hash(self._values)

    def __repr__(self) -> str:
        return f"Row({', '.join(self._shown(position) for position in range(len(self._values)))})"

    def _shown(self, position: int) -> str:
        value = "…" if position in self._layout.sensitive else repr(self._values[position])
        return f"{self._layout.names[position]}={value}"
