"""
The writes of one changeset behind those of another.

Two changesets go in; the first has the writes of both, and for the refs of the second there are refs of the first.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

from attrs import evolve
from typing_extensions import TypeVar

from mapper.deferred import KeyPart, Ref
from mapper.errors import QueryError
from mapper.expressions import Expr, Parameter, Subquery
from mapper.followups import FollowUp, replaced
from mapper.pushed import Pushed
from mapper.returned import Returned
from mapper.writes import ConflictRule, DeletedRows, Deletion, PushedRows, Update, UpdatedRows, Write

if TYPE_CHECKING:
    from mapper.changeset import Changeset

__all__ = ["Moved", "merged"]

K = TypeVar("K")
T = TypeVar("T")


class Moved:
    """Refs and slots of a changeset that was merged into another: `moved[ref]` is the ref that it has there."""

    __slots__ = ("_offset", "_owner", "_slots", "_source")

    def __init__(self, source: object, owner: object, offset: int, slots: Sequence[Returned[Any]] = ()) -> None:
        self._source = source
        self._owner = owner
        self._offset = offset
        self._slots = slots

    @overload
    def __getitem__(self, ref: Ref[K]) -> Ref[K]: ...
    @overload
    def __getitem__(self, ref: Returned[T]) -> Returned[T]: ...
    def __getitem__(self, ref: Any) -> Any:
        """
        Return the ref of the same row, or the slot of the same writes, in the changeset that took it in.

        Raises:
            QueryError: It is not of the changeset that was merged.
        """
        if isinstance(ref, Returned) and ref.owner is self._source and ref.number < len(self._slots):
            return self._slots[ref.number]
        if not isinstance(ref, Ref) or ref.owner is not self._source:
            raise QueryError(f"{ref!r} is not of the changeset that was merged")
        return Pushed(ref.relation, ref.position + self._offset, self._owner)

    def slot(self, slot: Returned[Any] | None) -> Returned[Any] | None:
        """Return what a slot of the merged changeset becomes."""
        return None if slot is None else self[slot]

    def value(self, value: Any) -> Any:
        """Return a value, or for a ref the one that it becomes."""
        if not isinstance(value, Ref):
            return value
        moved = self[value]
        return KeyPart(moved, value.part) if isinstance(value, KeyPart) else moved

    def values(self, values: Sequence[Any]) -> tuple[Any, ...]:
        """Return values with the refs that those among them become."""
        return tuple([self.value(each) for each in values])

    def expression(self, expression: Expr[Any, Any]) -> Expr[Any, Any]:
        """
        Return an expression over the refs that those in it become.

        Raises:
            QueryError: A ref is in a subquery.
        """
        if not any([isinstance(each, Ref) for each in expression.parameters]):
            return expression
        if isinstance(expression, Parameter):
            return Parameter(self.value(expression.parameters[0]), expression.type)
        if isinstance(expression, Subquery):
            raise QueryError(f"{expression!r} names a ref in a subquery, and cannot be merged")
        return expression.mapped(self.expression)


def merged(target: "Changeset[Any]", source: "Changeset[Any]") -> Moved:
    """Add the writes of `source` to `target`; see `Changeset.merge`."""
    count = len(target._slots)
    slots = [evolve(each, number=each.number + count, owner=target._owner) for each in source._slots]
    moved = Moved(source._owner, target._owner, len(target._numbers), slots)
    first = len(target._writes)
    # Whatever may fail comes before the target changes.
    writes = [_moved(each, moved, first) for each in source._writes]
    then = [_follow_up(each, moved) for each in source._then]
    for relation in list(target._open):
        target._close(relation)
    target._writes.extend(writes)
    target._numbers.extend([each + first for each in source._numbers])
    target._then.extend(then)
    target._slots.extend(slots)
    return moved


def _moved(write: Write, moved: Moved, first: int) -> Write:
    number = write.number + first
    match write:
        case Update(conditions=conditions, assignments=assignments):
            return evolve(
                write,
                number=number,
                position=write.position + moved._offset,
                conditions=[moved.expression(each) for each in conditions],
                assignments=[(column, moved.expression(each)) for column, each in assignments],
                returned=moved.slot(write.returned),
                on=None if write.on is None else moved.expression(write.on),
            )
        case Deletion(conditions=conditions):
            return evolve(
                write,
                number=number,
                position=write.position + moved._offset,
                conditions=[moved.expression(each) for each in conditions],
                returned=moved.slot(write.returned),
            )
        case PushedRows() | UpdatedRows() | DeletedRows():
            changed: dict[str, Any] = {
                "number": number,
                "positions": [each + moved._offset for each in write.positions],
                "rows": [moved.values(each) for each in write.rows] if write.refs else list(write.rows),
                "refs": [(row, moved.value(ref)) for row, ref in write.refs],
                "closed": True,
            }
            if isinstance(write, PushedRows):
                changed["returned"] = moved.slot(write.returned)
                changed["conflict"] = None if write.conflict is None else _rule(write.conflict, moved)
            return evolve(write, **changed)


def _rule(rule: ConflictRule, moved: Moved) -> ConflictRule:
    if not rule.refs:
        return rule
    return evolve(
        rule,
        assignments=tuple([(column, moved.expression(each)) for column, each in rule.assignments]),
        where=None if rule.where is None else moved.expression(rule.where),
        refs=moved.values(rule.refs),
    )


def _follow_up(operation: FollowUp, moved: Moved) -> FollowUp:
    return replaced(operation, moved.value)
