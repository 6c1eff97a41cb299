"""
Updates that take values from other rows: of `values(…)`, or of a subquery.

An update with such a source goes in; one statement comes out, or, where the store has none of the kind, a look at the
rows and an update of them by key, both in the transaction of the commit.
"""

from collections.abc import Generator, Sequence
from typing import Any

from attrs import frozen

from mapper.capabilities import Capabilities
from mapper.checking import checked_condition
from mapper.committed import Committed
from mapper.conditions import tuple_
from mapper.deferred import Ref
from mapper.errors import QueryError
from mapper.expressions import Attribute, Call, Expr, Parameter
from mapper.gateway import Gateway
from mapper.layouts import Values
from mapper.operations import Operation, Result
from mapper.projection import ExprItem, Projection, decoder
from mapper.query import Query
from mapper.relation import RelationInfo, info
from mapper.selecting import select
from mapper.sources import Derived
from mapper.stages import Resolve, Sending, UpdateStage, UpdatingStage, resolved
from mapper.statements import Select
from mapper.writes import Assigned, RowUpdate, Update

__all__ = ["UpdateFromStage", "checked_source"]


def checked_source(write: Update, source: object, on: object, owner: object) -> tuple[Derived[Any], Expr[bool, Any]]:
    """
    Return the source of an update, and the condition that ties its rows.

    Raises:
        QueryError: It is no source of rows beside the relation's, comes too late, names a ref or what is outside of it,
            or gives two rows for one.
    """
    name = write.described.relation.__name__
    if not isinstance(source, Derived):
        raise QueryError(
            f"an update of {name} takes values from rows written out or from a subquery, not from {source!r}",
            hint="from_(values(Table, rows), on=…), or from_(subquery(Table, query), on=…)",
        )
    if write.source is not None or write.assignments or write.conditions:
        raise QueryError(f"from_ of an update of {name} comes too late", hint="say it once, before set and where")
    if any([isinstance(each, Ref) for each in source.parameters]):
        raise QueryError(f"{source!r} names a ref", hint="a ref may stand in where(…) and set(…)")
    if getattr(source, "lateral", False):
        raise QueryError(f"{source!r} is lateral, and an update has no source before it", hint="tie the rows by on=…")
    condition = checked_condition(write.described, on, owner, source=source.__relation__)
    _require_one_each(write.described, source, condition)
    return source, condition


def _require_one_each(described: RelationInfo, source: Derived[Any], condition: Expr[bool, Any]) -> None:
    """Refuse rows of which two go with one row, as far as that is told by equal columns."""
    rows = source.rows_given
    if rows is None:
        return
    positions = _tying(described, source.__relation__, condition)
    if not positions:
        return
    seen: set[Values] = set()
    for row in rows:
        key = tuple([row[each] for each in positions])
        try:
            known = key in seen
            seen.add(key)
        except TypeError:
            return  # Values that cannot be hashed are not looked for.
        if known and None not in key:
            shown = ", ".join([each.attribute for each in source.__relation__.columns if each.position in positions])
            raise QueryError(
                f"two rows of {source.__relation__.original.__name__} have the same {shown}, so that both would update "
                f"one row of {described.relation.__name__}",
                hint="give each row once",
            )


def _tying(described: RelationInfo, source: RelationInfo, condition: Expr[bool, Any]) -> list[int]:
    """Return the positions of the source's columns that are equal to columns of the relation; () where more is asked."""
    found: list[int] = []
    for each in _conjuncts(condition):
        sides = each.operands if isinstance(each, Call) and each.name == "eq" else ()
        columns = [side for side in sides if isinstance(side, Attribute)]
        own = [side for side in columns if info(side.relation).token == described.token]
        others = [side for side in columns if info(side.relation).token == source.token]
        if len(own) != 1 or len(others) != 1:
            return []
        found.append(others[0].column.position)
    return sorted(found)


def _conjuncts(condition: Expr[bool, Any]) -> list[Expr[Any, Any]]:
    if isinstance(condition, Call) and condition.name == "and":
        return [part for each in condition.operands for part in _conjuncts(each)]
    return [condition]


@frozen(eq=False)
class _Look:
    """A query with what stands for the refs among its values."""

    query: Query[Any, Any]
    parameters: Values

    @property
    def key(self) -> str:
        """The query's."""
        return self.query.key

    def assemble(self) -> Select:
        """As the query."""
        return self.query.assemble()


class UpdateFromStage(UpdatingStage):
    """One update from other rows."""

    __slots__ = ("_looks",)

    def __init__(self, write: Update) -> None:
        super().__init__(write)
        self._looks = False

    @property
    def looks(self) -> bool:
        return self._looks

    def check(self, capabilities: Capabilities) -> None:
        super().check(capabilities)
        self._looks = not capabilities.update_from
        if self._looks:
            capabilities.require("relational", what="an update from other rows")
            self.deferred = True
            if not self._described.primary_key:
                raise QueryError(
                    f"{self._described.relation.__name__} has no primary key, so none of its rows can be named",
                    hint="declare one: column(primary_key=True)",
                )

    def count(self) -> int:
        return 2 if self._looks else 1

    def operations(self, gateway: Gateway, resolve: Resolve) -> Sequence[Sending]:
        if not self._looks:
            return super().operations(gateway, resolve)
        return [(gateway.compile(self._look(resolve)), None)]

    def program(self, gateway: Gateway, done: Committed) -> Generator[Operation, Result, None]:
        """Look up the rows with their new values, and update them by key."""
        keys = self._described.primary_key
        answer = yield gateway.compile(self._look(done._resolve))
        read = decoder(Projection(tuple([ExprItem(each) for each in self._items()])), (), gateway.codecs)
        found: dict[Values, Values] = {}
        for row in read(answer.rows, ()):
            values = row if isinstance(row, tuple) else (row,)
            found.setdefault(values[: len(keys)], values[len(keys) :])
        if not found:
            return
        rows = [(*self._assigned(new, done._resolve), *key) for key, new in found.items()]
        stage = UpdateStage(self._shape(rows[0]), rows, False)
        stage.size = self.size
        for operation, sent in stage.operations(gateway, done._resolve):
            stage.take(sent, (yield operation), done, gateway.codecs)
        if self._slot is not None:
            yield from self._read_back(gateway, done, rows)

    def _items(self) -> list[Expr[Any, Any]]:
        """Return what is looked up: the key, and what is no mere value."""
        keys = [self._described.attributes[each.attribute] for each in self._described.primary_key]
        return [*keys, *[each for _, each in self._write.assignments if not isinstance(each, Parameter)]]

    def _look(self, resolve: Resolve) -> _Look:
        source, on = self._write.source, self._write.on
        assert source is not None
        assert on is not None
        query: Query[Any, Any] = select(*self._items()).from_(self._described.relation).join(source, on=on)
        query = query.where(*self._write.conditions) if self._write.conditions else query
        return _Look(query, resolved(query.parameters, resolve))

    def _assigned(self, looked_up: Values, resolve: Resolve) -> Values:
        """Return the values of the assignments: those looked up, and those given, in their order."""
        found, values = iter(looked_up), []
        for _, each in self._write.assignments:
            values.append(resolved(each.parameters, resolve)[0] if isinstance(each, Parameter) else next(found))
        return tuple(values)

    def _shape(self, row: Values) -> RowUpdate:
        columns = [column for column, _ in self._write.assignments]
        assigned: list[Assigned] = [
            (column, Parameter(value, column.type)) for column, value in zip(columns, row, strict=False)
        ]
        key = ",".join([f"{column.attribute}={each.key}" for column, each in assigned]) + " by key"
        return RowUpdate(self._described, tuple(assigned), key, told=False, ordered=True, free=False)

    def _read_back(
        self, gateway: Gateway, done: Committed, rows: Sequence[Values]
    ) -> Generator[Operation, Result, None]:
        """Read what comes back, by the keys that the rows have now."""
        slot, described = self._slot, self._described
        assert slot is not None
        names = [column.attribute for column, _ in self._write.assignments]
        keys = [each.attribute for each in described.primary_key]
        places = [names.index(each) if each in names else len(names) + index for index, each in enumerate(keys)]
        wanted = [tuple([row[each] for each in places]) for row in rows]
        own = [described.attributes[each] for each in keys]
        among: Any = own[0].in_([each[0] for each in wanted]) if len(own) == 1 else tuple_(*own).in_(wanted)
        columns = tuple(dict.fromkeys(slot.columns))
        items = [described.attributes[each.attribute] for each in columns]
        answer = yield gateway.compile(select(*items).from_(described.relation).where(among))
        done._give_back(slot, columns, answer.rows, gateway.codecs)
