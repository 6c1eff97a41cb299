"""
Expressions that belong to a relation and not to a statement: checks, defaults, generated columns.

An expression with its values in it goes in; a function of a row comes out.
"""

from typing import Any

from gateways.memory.computing import Compilation, Run
from gateways.memory.expressions import compile_expression
from gateways.memory.scope import Scope, of_relation
from mapper.errors import QueryError
from mapper.expressions import Expr
from mapper.types import Codecs

__all__ = ["Closed"]


class Closed:
    """
    A compiled expression over the columns of one row, or of none.

    Raises:
        QueryError: It has a subquery.
        NotJoined: It has a column of another relation.
    """

    __slots__ = ("_compute", "_prepared")

    def __init__(self, expression: Expr[Any, Any], codecs: Codecs, relation: Any = None) -> None:
        compilation = Compilation(codecs, 0, _refuse_subquery)
        sources = [] if relation is None else [of_relation(relation)]
        self._compute = compile_expression(expression, Scope(compilation, sources, bare=True))
        self._prepared = compilation.prepared(())

    def value(self, row: tuple[Any, ...], run: Run | None = None) -> Any:
        """Return the expression's value for a row. Only one that asks for the time needs a run."""
        return self._compute(row, (*self._prepared, run))


def _refuse_subquery(select: Any, scope: Any) -> Any:
    del select, scope
    raise QueryError(
        "a check, default or generated column has a subquery", hint="it may use the columns of its own row only"
    )
