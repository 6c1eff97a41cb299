"""
Reads in which one expression stands in several places and has to have the same values in all of them.

A compiled read and the pairs of parameters go in; a read comes out that asks before it is bound.
"""

from collections.abc import Sequence
from typing import Any

from attrs import frozen

from gateways.sql.plans import CompiledSelect
from gateways.sql.shapes import require_equal
from gateways.sql.sharing import SharingSelect
from mapper.operations import QuerySql

__all__ = ["AgreeingSelect"]


@frozen(eq=False)
class AgreeingSelect:
    """
    A compiled read.

    Attributes:
        compiled: The read itself.
        pairs: Numbers of parameters that must have equal values.
    """

    compiled: CompiledSelect | SharingSelect
    pairs: tuple[tuple[int, int], ...]

    def operation(self, parameters: Sequence[Any]) -> QuerySql:
        """
        Return the operation with these values.

        Raises:
            QueryError: Rows are grouped or ordered by an expression that is selected with other values.
            ValueNotStorable: A value is refused.
        """
        require_equal(parameters, self.pairs)
        return self.compiled.operation(parameters)
