"""
Changes of the schema: tables that are created, dropped, widened.

Relations go in; the store has other tables afterwards. Other tables, and the rows of all that stay, are left as they
are.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from gateways.memory.computing import Run
from gateways.memory.layouts import Layout, layout_of
from gateways.memory.snapshots import Present
from gateways.memory.store import Store
from gateways.memory.tables import Log, Table
from gateways.memory.work import Work
from mapper.errors import ForeignKeyViolation, StatementError, Unsupported
from mapper.operations import Call, Result
from mapper.types import Codecs

__all__ = ["change_schema"]

Change = Callable[[Store, Sequence[Layout], Log], int]


def change_schema(store: Store, operation: Call, codecs: Codecs, log: Log) -> Result:
    """
    Run a change of the schema; its count is that of tables made or dropped, or of rows widened.

    Raises:
        Unsupported: It is no change that is known.
        ForeignKeyViolation: Rows of a table that stays refer to one that is to be dropped.
    """
    change = _CHANGES.get(operation.name)
    if change is None:
        raise Unsupported(operation.name, "memory", f"the memory gateway has no call {operation.name!r}")
    return Result(count=change(store, [layout_of(each, codecs) for each in operation.arguments], log))


def _create(store: Store, layouts: Sequence[Layout], log: Log) -> int:
    missing = {each.key: store.table(each) for each in layouts if each.key not in store.tables}
    if missing:
        store.replace({**store.tables, **missing}, log)
    return len(missing)


def _drop(store: Store, layouts: Sequence[Layout], log: Log) -> int:
    dropped = {each.key for each in layouts if each.key in store.tables}
    for key, table in store.tables.items():
        if key not in dropped:
            _require_unreferred(table, dropped)
    if dropped:
        store.replace({key: table for key, table in store.tables.items() if key not in dropped}, log)
    return len(dropped)


def _require_unreferred(table: Table, dropped: set[tuple[str | None, str]]) -> None:
    for reference in table.layout.references:
        if reference.target in dropped and any([row[reference.position] is not None for row in table.rows()]):
            raise ForeignKeyViolation(
                f"{table.layout.relation.__name__}.{reference.attribute} refers to rows of {reference.target[1]!r}, which is to be dropped",
                relation=table.layout.relation,
                columns=(reference.attribute,),
                constraint=reference.name,
                hint=f"drop {table.layout.relation.__name__} as well",
            )


def _widen(store: Store, layouts: Sequence[Layout], log: Log) -> int:
    return sum([_widened(store, each, log) for each in layouts])


def _widened(store: Store, layout: Layout, log: Log) -> int:
    """Give a table the columns of a newer layout, filled with their defaults, and return how many rows it has."""
    old = store.tables.get(layout.key)
    if old is None:
        raise StatementError(f"there is no table {layout.key[1]!r}", hint="create it: await repository.push_schema()")
    lost = [each for each in old.layout.positions if each not in layout.positions]
    if lost:
        raise StatementError(f"table {layout.key[1]!r} would lose its column {lost[0]!r}", hint="declare it as well")
    new, run = store.table(layout), Run(Present(store.tables))
    positions = [layout.positions[each.name] for each in old.layout.columns]
    work = Work(store, [], run)
    rows = 0
    for row in old.rows():
        wide: list[Any] = [None] * len(layout.columns)
        for position, fill in layout.fills.items():
            wide[position] = fill(run)
        for position, value in zip(positions, row, strict=True):
            wide[position] = value
        work.insert(new, tuple(wide))
        rows += 1
    new.counter = old.counter
    store.replace({**store.tables, layout.key: new}, log)
    work.finish()
    return rows


_CHANGES: Final[dict[str, Change]] = {"create": _create, "drop": _drop, "widen": _widen}
