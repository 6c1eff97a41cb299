"""
Rows of one relation that fulfil conditions, through an index where there is one.

A relation and conditions go in; a function of a statement's values comes out. Indexes only make it faster: every
condition is checked again.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from attrs import frozen

from gateways.memory.computing import Compute, Row, Values
from gateways.memory.expressions import compile_condition, compile_expression
from gateways.memory.scope import Scope
from mapper.expressions import Attribute, Call, Expr, Parameter, Slot
from mapper.relation import RelationInfo, info
from mapper.terms import Outer

__all__ = ["Access", "compile_access", "indexed_positions"]

Keys = Callable[[Values], Sequence[tuple[Any, ...]]]


@frozen(eq=False)
class Access:
    """
    How the rows of a relation are come by.

    Attributes:
        positions: The columns of an index that is asked, or ().
        keys: What it is asked for.
        keep: The condition of all rows, or None.
        local_index: Make an index for the run where the store has none: it is asked again and again.
    """

    relation: Any
    positions: tuple[int, ...]
    keys: Keys | None
    keep: Compute | None
    local_index: bool

    def rows(self, values: Values) -> Iterable[Row]:
        """Return the rows, oldest first."""
        found = self._found(values)
        keep = self.keep
        if keep is None:
            return found
        return _kept(found, keep, values)

    def _found(self, values: Values) -> Iterable[Row]:
        view = values[-1].view
        if self.keys is not None:
            keys = self.keys(values)
            found = view.find(self.relation, self.positions, keys)
            if found is not None:
                return found  # type: ignore[no-any-return]  # the view is that of the run
            if self.local_index:
                table: dict[Any, list[Row]] = values[-1].once(
                    self, lambda: index_of(view.rows(self.relation), self.positions)
                )
                return [row for key in keys for row in table.get(key, ())]
        return view.rows(self.relation)  # type: ignore[no-any-return]  # the view is that of the run


def compile_access(relation: Any, conditions: Sequence[Expr[bool, Any]], scope: Scope) -> Access:
    """
    Compile the reading of a relation.

    Args:
        relation: The relation, or an alias of one.
        conditions: All of these must hold; they refer to no other source of `scope`.
        scope: The scope whose rows are those of the relation.
    """
    positions, keys = _index(relation, conditions, scope)
    return Access(relation, positions, keys, compile_condition(tuple(conditions), scope), scope.level > 0)


def indexed_positions(described: RelationInfo) -> list[tuple[int, ...]]:
    """Return the columns of each index that the store has of a relation, unique ones first."""
    named = [*[each.columns for each in described.uniques], *[each.columns for each in described.indexes]]
    found = [tuple([each.position for each in described.primary_key])]
    found.extend([tuple([described.column(name).position for name in names]) for names in named])
    found.extend([(each.position,) for each in described.columns if each.options.references is not None])
    return list(dict.fromkeys([each for each in found if each]))


def index_of(rows: Iterable[Row], positions: tuple[int, ...]) -> dict[Any, list[Row]]:
    """Return rows by their values at some positions; rows with NULL there are left out."""
    table: dict[Any, list[Row]] = {}
    for row in rows:
        key = tuple([row[each] for each in positions])
        if None not in key:
            table.setdefault(key, []).append(row)
    return table


def _kept(rows: Iterable[Row], keep: Compute, values: Values) -> Iterator[Row]:
    for row in rows:
        if keep(row, values) is True:
            yield row


def _index(relation: Any, conditions: Sequence[Expr[bool, Any]], scope: Scope) -> tuple[tuple[int, ...], Keys | None]:
    described = info(relation)
    if described.common:
        return (), None
    equal = _equalities(described, conditions)
    for positions in indexed_positions(described):
        if all([each in equal for each in positions]):
            parts = [compile_expression(equal[each], scope) for each in positions]
            return positions, _one_key(parts)
    for position, listed in _listed(described, conditions):
        if (position,) in indexed_positions(described):
            return (position,), _many_keys(scope.compilation.slot(listed))
    return (), None


def _one_key(parts: Sequence[Compute]) -> Keys:
    def keys(values: Values) -> Sequence[tuple[Any, ...]]:
        key = tuple([each(None, values) for each in parts])
        return () if None in key else (key,)

    return keys


def _many_keys(index: int) -> Keys:
    return lambda values: [(each,) for each in dict.fromkeys(values[index] or ()) if each is not None]


def _equalities(described: RelationInfo, conditions: Sequence[Expr[bool, Any]]) -> dict[int, Expr[Any, Any]]:
    """Return what columns of the relation must be equal to, by position."""
    found: dict[int, Expr[Any, Any]] = {}
    for each in conditions:
        if isinstance(each, Call) and each.name == "eq":
            left, right = each.operands
            for column, other in ((left, right), (right, left)):
                position = _position(described, column)
                if position is not None and _is_given(other):
                    found.setdefault(position, other)
    return found


def _listed(described: RelationInfo, conditions: Sequence[Expr[bool, Any]]) -> Iterator[tuple[int, Slot]]:
    for each in conditions:
        if isinstance(each, Call) and each.name == "in_list":
            item, listed = each.operands
            position = _position(described, item)
            if position is not None and isinstance(listed, Slot):
                yield position, listed


def _position(described: RelationInfo, expression: Expr[Any, Any]) -> int | None:
    if isinstance(expression, Attribute) and info(expression.relation).token == described.token:
        return expression.column.position
    return None


def _is_given(expression: Expr[Any, Any]) -> bool:
    """Return whether the value is known before the relation is read."""
    if isinstance(expression, _GIVEN):
        return True
    return (
        isinstance(expression, Call)
        and bool(expression.operands)
        and all([_is_given(each) for each in expression.operands])
    )


_GIVEN: Final = (Slot, Parameter, Outer)
