"""
Expressions as text alone, for where no parameter may stand: checks and defaults.

An expression over the columns of one relation goes in; text comes out, with its values written as literals by the
dialect, never by `repr`.
"""

from itertools import count
from typing import Any, NoReturn

from attrs import evolve

from gateways.sql.dialect import Dialect, stored
from gateways.sql.expressions import Expressions
from gateways.sql.pieces import Bind, Sql
from gateways.sql.plans import refused
from gateways.sql.scopes import Around, Scope
from mapper.errors import QueryError
from mapper.expressions import Expr
from mapper.relation import RelationInfo
from mapper.statements import Select
from mapper.types import Codecs, StorageType

__all__ = ["Inline"]


class Inline:
    """Writes expressions without parameters, their columns by name alone."""

    def __init__(self, dialect: Dialect, codecs: Codecs) -> None:
        # What stands in a schema is for other programs too, which have no functions of ours.
        operators = {**dialect.operators, **dialect.inline}
        self._dialect = evolve(dialect, qualified=False, operators=operators, overflow=lambda node: None)
        self._codecs = codecs
        self._expressions = Expressions(self._dialect, _no_subquery)

    def text(
        self, expression: Expr[Any, Any], relation: RelationInfo, *, target: StorageType[Any] | None = None
    ) -> str:
        """
        Return the text of an expression over the columns of a relation; with `target`, converted to that type where its
        own differs.

        Raises:
            QueryError: It has a subquery, or an empty list.
            ValueNotStorable: One of its values cannot be stored.
        """
        scope = Scope(self._dialect, Around(), qualified=False)
        scope.add(relation.name, relation)
        piece = self._expressions.render(expression.numbered(count().__next__), scope)
        if target is not None:
            piece = self._converted(piece, expression.type, target)
        return "".join(
            [each if isinstance(each, str) else self._literal(each, expression.parameters) for each in piece.parts]
        )

    def _converted(self, piece: Sql, source: StorageType[Any], target: StorageType[Any]) -> Sql:
        template = self._dialect.casts.get((type(stored(source)), type(stored(target))))
        different = type(stored(source)) is not type(stored(target))
        return template.render(1, lambda _index, _form: piece) if template is not None and different else piece

    def _literal(self, bind: Bind, parameters: tuple[Any, ...]) -> str:
        assert isinstance(bind.index, int)
        value = parameters[bind.index]
        if bind.form == "items":
            return self._list(bind, value)
        return self._encoded(bind, value)

    def _list(self, bind: Bind, values: Any) -> str:
        listed = list(values)
        if not listed:
            raise QueryError("a check or default has an empty list", hint="write it as a condition that is false")
        item = evolve(bind, form="value")
        return f"({', '.join([self._encoded(item, each) for each in listed])})"

    def _encoded(self, bind: Bind, value: Any) -> str:
        try:
            encoded = None if value is None else self._dialect.encoder(self._codecs, bind)(value)
        except ValueError as error:
            raise refused(error, value, bind.beside) from error
        return self._dialect.literal(encoded)


def _no_subquery(select: Select, around: Around, named: bool) -> NoReturn:
    del select, around, named
    raise QueryError("a check or default has a subquery", hint="it may use the columns of its own row only")
