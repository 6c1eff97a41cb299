"""
Encoding of values for an operation, and the error of one that cannot be stored.

Storage types and the columns that values are for go in; functions of values, or of rows of them, come out.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

from attrs import frozen

from gateways.sql.pieces import Place
from gateways.sql.plans import refused
from mapper.columns import ColumnInfo
from mapper.expressions import Attribute, Expr
from mapper.relation import info
from mapper.terms import Excluded, Outer
from mapper.types import Codecs, Encoder

__all__ = ["Binding", "RowBinder", "column_binding", "place_of"]

Row: TypeAlias = tuple[Any, ...]


@frozen(eq=False)
class Binding:
    """
    How one value is encoded.

    Attributes:
        beside: The column that it is for, or that it is compared with; None where there is none.
        required: None is given to the encoder, which refuses it or has a meaning for it; else None is NULL.
    """

    encode: Encoder
    beside: Place | None = None
    required: bool = False

    def encoded(self, value: Any, row: int | None = None) -> Any:
        """
        Encode a value.

        Raises:
            ValueNotStorable: It cannot be stored; the message says in which row, where one is given.
        """
        if value is None and not self.required:
            return None
        try:
            return self.encode(value)
        except ValueError as error:
            raise refused(error, value, self.beside, row=row) from error


@frozen(eq=False)
class RowBinder:
    """Encodes rows of values."""

    columns: tuple[Binding, ...]

    def bind(self, rows: Sequence[Row]) -> list[Row]:
        """
        Encode rows.

        Raises:
            ValueNotStorable: A value cannot be stored; of several rows, the message says in which, from 0.
        """
        encoders = [(each.encode, each.required) for each in self.columns]
        try:
            return [
                tuple(
                    [
                        None if value is None and not required else encode(value)
                        for (encode, required), value in zip(encoders, row, strict=True)
                    ]
                )
                for row in rows
            ]
        except ValueError:
            self._refuse(rows)
            raise

    def _refuse(self, rows: Sequence[Row]) -> None:
        """Raise the error of the first value that is refused."""
        for number, row in enumerate(rows):
            for column, value in zip(self.columns, row, strict=True):
                column.encoded(value, number if len(rows) > 1 else None)


def column_binding(column: ColumnInfo, relation: Any, codecs: Codecs, *, required: bool | None = None) -> Binding:
    """Return how values of a column are encoded."""
    name = info(relation).original.__name__
    place = Place(name, column.attribute, column.options.sensitive)
    return Binding(codecs.encoder(column.type), place, not column.nullable if required is None else required)


def place_of(expression: Expr[Any, Any]) -> Place | None:
    """Return the column that an expression is, as messages name it."""
    if isinstance(expression, Outer | Excluded):
        expression = expression.attribute
    if not isinstance(expression, Attribute):
        return None
    return Place(
        info(expression.relation).original.__name__, expression.column.attribute, expression.column.options.sensitive
    )
