"""
Which of the rows of a bulk a constraint refused.

The error, the rows and where they stand go in; the ref of one row comes out, where that can be known: from the rows
alone, or by a second look at the store behind the rollback.
"""

from collections.abc import Generator, Sequence
from typing import Any

from attrs import frozen

from mapper.assembly import Clause
from mapper.columns import ColumnInfo
from mapper.committed import Committed
from mapper.conditions import tuple_
from mapper.deferred import Ref
from mapper.errors import ConstraintViolation, ForeignKeyViolation, NotNullViolation, UniqueViolation
from mapper.expressions import Attribute
from mapper.gateway import Gateway
from mapper.layouts import RowShape, Values
from mapper.operations import Operation, Result
from mapper.projection import ExprItem, Projection, decoder
from mapper.relation import RelationInfo, info
from mapper.walking import Walk

__all__ = ["Suspects", "blame"]


@frozen(eq=False)
class Suspects:
    """
    Rows of one insert, of which one was refused and which is not known.

    Attributes:
        rows, positions: The rows, and their places in the changeset.
        keys: Keys of rows that the same commit had inserted before.
    """

    error: ConstraintViolation
    shape: RowShape
    rows: Sequence[Values]
    positions: Sequence[int]
    keys: frozenset[Any]
    owner: object

    @property
    def relations(self) -> frozenset[Any]:
        """What is looked at: nothing else may have changed it in the same commit."""
        targets = [each.referenced() for each in self._references()]
        return frozenset([self.shape.described.relation, *[each.relation for each in targets if each is not None]])

    def look(self, gateway: Gateway) -> Generator[Operation, Result, None]:
        """Ask the store, once the commit is undone, what stands in the way or is missing."""
        if isinstance(self.error, UniqueViolation):
            yield from self._look_for_rival(gateway)
        elif isinstance(self.error, ForeignKeyViolation):
            for each in self._references():
                target = each.referenced()
                if target is not None and self.error.ref is None:
                    yield from self._look_for_parents(gateway, each, target)

    def _look_for_rival(self, gateway: Gateway) -> Generator[Operation, Result, None]:
        indexes = _indexes(self.shape, self.error.columns)
        described = self.shape.described
        wanted = [tuple([row[each] for each in indexes]) for row in self.rows]
        known = [each for each in wanted if None not in each]
        if not known or not indexes:
            return
        found = yield from _stored(
            gateway, described, [described.attributes[each] for each in self.error.columns], known
        )
        for row, values in enumerate(wanted):
            if values in found:
                _accuse(self.error, self.shape.described, self.positions[row], self.owner)
                return

    def _look_for_parents(
        self, gateway: Gateway, column: ColumnInfo, target: Attribute[Any, Any]
    ) -> Generator[Operation, Result, None]:
        (index,) = _indexes(self.shape, (column.attribute,))
        wanted = [row[index] for row in self.rows]
        known = [(each,) for each in wanted if each is not None and each not in self.keys]
        if not known:
            return
        described = info(target.relation)
        found = yield from _stored(gateway, described, [described.attributes[target.column.attribute]], known)
        for row, value in enumerate(wanted):
            if (value,) in known and (value,) not in found:
                self.error.columns = self.error.columns or (column.attribute,)
                _accuse(self.error, self.shape.described, self.positions[row], self.owner)
                return

    def _references(self) -> list[ColumnInfo]:
        """Return the columns of the rows that the error may be about and that refer to other rows."""
        columns = self.error.columns
        return [
            each
            for each in self.shape.columns
            if each.options.references is not None and (not columns or each.attribute in columns)
        ]


def blame(
    error: ConstraintViolation, shape: RowShape, rows: Sequence[Values], positions: Sequence[int], done: Committed
) -> Suspects | None:
    """
    Tell the error which row it is about.

    Returns:
        None where that is done, or cannot be; else what a look at the store can tell.
    """
    described = shape.described
    if error.relation not in (None, described.relation):
        return None
    row = 0 if len(rows) == 1 else _certain(error, shape, rows)
    if row is not None:
        _accuse(error, described, positions[row], done._owner)
        return None
    if not isinstance(error, UniqueViolation | ForeignKeyViolation):
        return None
    return Suspects(error, shape, rows, positions, done._known_keys(), done._owner)


def _accuse(error: ConstraintViolation, described: RelationInfo, position: int, owner: object) -> None:
    ref = Ref[Any](described.relation, position, owner)
    error.ref = ref
    error.relation = described.relation
    error.add_note(f"the row is that of {ref!r}")


def _certain(error: ConstraintViolation, shape: RowShape, rows: Sequence[Values]) -> int | None:
    """Return the row that the error must be about, as far as the rows tell."""
    indexes = _indexes(shape, error.columns)
    if not indexes:
        return None
    wanted = [tuple([row[each] for each in indexes]) for row in rows]
    if isinstance(error, NotNullViolation):
        return next((row for row, values in enumerate(wanted) if None in values), None)
    if isinstance(error, UniqueViolation):
        return _repeated(wanted)
    return None


def _repeated(rows: Sequence[Values]) -> int | None:
    """Return the first row that is equal to one before it."""
    try:
        seen: set[Values] = set()
        for index, values in enumerate(rows):
            if values in seen:
                return index
            if None not in values:
                seen.add(values)
    except TypeError:
        pass  # Values that cannot be hashed are not looked for.
    return None


def _indexes(shape: RowShape, columns: Sequence[str]) -> tuple[int, ...]:
    """Return where columns are in the rows; () where one is not."""
    places = {name: index for index, name in enumerate(shape.names)}
    return tuple([places[each] for each in columns]) if all(each in places for each in columns) else ()


def _stored(
    gateway: Gateway, described: RelationInfo, columns: Sequence[Attribute[Any, Any]], wanted: Sequence[Values]
) -> Generator[Operation, Result, list[Values]]:
    """Return which of the values are in the store."""
    listed: Any = (
        columns[0].in_([each[0] for each in wanted]) if len(columns) == 1 else tuple_(*columns).in_(list(wanted))
    )
    clauses = (Clause("from", payload=described.relation), Clause("where", (listed,)))
    answer = yield gateway.compile(Walk(tuple(columns), clauses))
    read = decoder(Projection(tuple([ExprItem(each) for each in columns])), (), gateway.codecs)
    found = read(answer.rows, ())
    return [(each,) for each in found] if len(columns) == 1 else list(found)
