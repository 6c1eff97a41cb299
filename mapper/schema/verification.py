"""
Verification: whether a store has what relations declare.

Relations and a gateway go in; differences come out, each with the statement that mends it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from attrs import frozen

from mapper.columns import ColumnInfo
from mapper.gateway import Gateway, StoredColumn
from mapper.relation import RelationInfo, info
from mapper.statements import AddColumn, CreateSchema

__all__ = ["Difference", "verify"]


@frozen
class Difference:
    """
    One thing in which a store differs from what a relation declares.

    Attributes:
        relation: The relation's class.
        problem: What differs: what was found, and what was expected.
        mend: The next step: a statement in the store's language where there is one.
    """

    relation: Any
    problem: str
    mend: str

    def __str__(self) -> str:
        return f"{self.relation.__name__}: {self.problem}\nHINT: {self.mend}"


async def verify(gateway: Gateway, relations: Iterable[Any]) -> list[Difference]:
    """
    Compare a store with what relations declare. Nothing is changed.

    Columns that no relation declares are a difference only where they keep rows from being inserted. Indexes, unique
    constraints and references are looked for where they are declared, by what they are over and not by name; those that
    no relation declares are none. Checks are not compared, and the memory gateway is asked for columns alone.

    Returns:
        Differences in the order of the relations and their columns, those of what is kept over the columns behind them;
        an empty list where all is as declared.
    """
    found: list[Difference] = []
    for relation in relations:
        described = info(relation)
        columns = await gateway.inspect(relation)
        if columns is None:
            found.append(_missing(gateway, described))
        else:
            found.extend(_differences(gateway, described, {each.name: each for each in columns}))
            kept = await gateway.drift(relation)
            found.extend([Difference(described.original, each.problem, each.mend) for each in kept])
    return found


def _missing(gateway: Gateway, described: RelationInfo) -> Difference:
    texts = [getattr(each, "text", "") for each in gateway.compile_schema(CreateSchema([described.original]))]
    statement = "; ".join(each for each in texts if each)
    mend = "create it: await repository.push_schema()"
    return Difference(
        described.original,
        f"there is no table {described.name!r}",
        f"{mend}, which runs {statement}" if statement else mend,
    )


def _differences(gateway: Gateway, described: RelationInfo, stored: Mapping[str, StoredColumn]) -> Iterator[Difference]:
    for column in described.columns:
        found = stored.get(column.name)
        if found is None:
            yield _missing_column(gateway, described, column)
        else:
            yield from _compared(gateway, described, column, found)
    declared = {each.name for each in described.columns}
    for name, each in stored.items():
        if name not in declared and not each.nullable and not each.has_default:
            yield Difference(
                described.original,
                f"the table has a column {name!r} that takes no NULL and has no default, and is not declared: no row can be inserted",
                f"declare it, or give it a default in the store: {name}: Column[…]",
            )


def _missing_column(gateway: Gateway, described: RelationInfo, column: ColumnInfo) -> Difference:
    texts = [getattr(each, "text", "") for each in gateway.compile_schema(AddColumn(described.original, column))]
    statement = "; ".join(each for each in texts if each)
    return Difference(
        described.original,
        f"the table {described.name!r} has no column {column.name!r}",
        f"add it: {statement}" if statement else "drop the relation and create it again",
    )


def _compared(
    gateway: Gateway, described: RelationInfo, column: ColumnInfo, found: StoredColumn
) -> Iterator[Difference]:
    if not gateway.keeps(found, column.type):
        expected = gateway.declared_type(column.type)
        yield Difference(
            described.original,
            f"column {column.name!r} is {found.type or 'of no type'} in the store, expected {expected}",
            "change the column in the store, or declare the type that it has",
        )
    if column.primary_key != found.primary_key:
        part = "is part of the key" if found.primary_key else "is not part of the key"
        yield Difference(
            described.original, f"column {column.name!r} {part} in the store", "declare the key that the store has"
        )
    elif found.nullable and not column.nullable and not column.primary_key:
        yield Difference(
            described.original,
            f"column {column.name!r} may be NULL in the store, and is declared as never NULL",
            f"declare it so: {column.attribute}: Column[… | None], or forbid NULL in the store",
        )
    elif column.nullable and not found.nullable:
        yield Difference(
            described.original,
            f"column {column.name!r} takes no NULL in the store, and is declared as nullable",
            f"declare it so: take None out of {column.attribute}: Column[…]",
        )
