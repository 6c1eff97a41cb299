"""
Text for many rows at once, made of the text for one.

The SQL of an operation goes in; the same with arrays in the place of values comes out, so that its text does not depend
on the number of rows. The places of parameters are found by reading the text as PostgreSQL does: what stands in quotes
is left alone.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from attrs import frozen

from gateways.postgres.columns import array_of, parameter_type
from mapper.columns import ColumnInfo
from mapper.relation import RelationInfo

__all__ = [
    "GIVEN",
    "ORDER",
    "Bulk",
    "columns_of",
    "listed",
    "names_of",
    "quoted",
    "rows_of",
    "table_of",
    "transposed",
    "types_of",
    "written_together",
]

GIVEN: Final = '"mapper given"'
"""The name of the rows that come in arrays."""

ORDER: Final = '"mapper order"'

_INTEGERS: Final = frozenset({"bigint", "integer", "smallint"})

DONE: Final = '"mapper done"'
"""The name of the rows that were written."""

_TYPE: Final = r"""(?:\w+|"(?:[^"]|"")*")(?:\."(?:[^"]|"")*")?(?:\[\])?"""
_PLACE: Final = re.compile(rf"""('(?:[^']|'')*'|"(?:[^"]|"")*")|\$(\d+)::({_TYPE})""")


@frozen
class Bulk:
    """
    A write of single rows by key, for many rows.

    Both texts have a parameter for each value of a row, which is the array of that value of all rows.

    Attributes:
        sql: It gives back the positions, from 1, of the rows that were written.
        whole: It writes all of the rows or fails, with a division by zero where one of them was not written. So it
            needs no transaction around it. A further parameter is the number of rows.
        numbers: The indexes of values that `whole` takes as text, as `listed` makes it: those that are integers.
    """

    sql: str
    whole: str
    numbers: tuple[int, ...]


@lru_cache(1024)
def columns_of(sql: str) -> tuple[str, ...] | None:
    """Return the types of a text's parameters; None where one of them is an array, which an array cannot hold."""
    places = {int(found[2]): found[3] for found in _PLACE.finditer(sql) if found[2]}
    types = tuple([places[each] for each in sorted(places)])
    return None if any(each.endswith("[]") for each in types) else types


@lru_cache(1024)
def written_together(sql: str, width: int, key: int | None = None) -> Bulk | None:
    """
    Return a write of single rows, `UPDATE … WHERE key = $3::bigint` or a delete, for many rows; None where that cannot
    be.

    Args:
        width: How many values a row has.
        key: The number of the parameter that is the whole key, from 1; None where the key has several.
    """
    types = columns_of(sql)
    head, where, condition = sql.rpartition(" WHERE ")
    if types is None or not where or len(types) != width:
        return None
    head = f"{_placed(head)} {'USING' if head.startswith('DELETE ') else 'FROM'}"
    numbers = tuple([index for index, each in enumerate(types) if each in _INTEGERS])
    arrays = [f"${index + 1}::{array_of(each)}" for index, each in enumerate(types)]
    texts = [each.replace("::", "::text::") if index in numbers else each for index, each in enumerate(arrays)]
    names = ", ".join([_name(each + 1) for each in range(width)])
    where = f"WHERE {_placed(condition)}"
    ordered = f"{rows_of(types)} AS {GIVEN} ({names}, {ORDER}) {where}{_among(condition, arrays, key)}"
    together = f"unnest({', '.join(texts)}) AS {GIVEN} ({names}) {where}{_among(condition, texts, key)}"
    done = f"WITH {DONE} AS ({head} {together} RETURNING 1)"
    return Bulk(
        sql=f"{head} {ordered} RETURNING {GIVEN}.{ORDER}",
        whole=f"{done} SELECT 1 / (count(*) = ${width + 1}::bigint)::integer FROM {DONE}",
        numbers=numbers,
    )


def listed(numbers: Sequence[int | None]) -> str:
    """
    Return integers as the server reads an array of them from text. asyncpg, which writes it in binary, looks at each item
    several times, so that it takes three times as long, and longer than the server takes to read the text.
    """
    return f"{{{str(list(numbers))[1:-1].replace('None', 'NULL')}}}"


def _among(condition: str, arrays: Sequence[str], key: int | None) -> str:
    """
    Return the condition that the key is one of those given, which says nothing new, but what is to be looked up in the
    key's index: without it the server reads the whole table, or looks for one row after the other.
    """
    found = _PLACE.search(condition)
    while found is not None and not found[2]:
        found = _PLACE.search(condition, found.end())
    if key is None or found is None or int(found[2]) != key:
        return ""
    return f" AND {condition[: found.start()]}ANY({arrays[key - 1]})"


def _placed(text: str) -> str:
    return _PLACE.sub(lambda found: found[1] or f"{GIVEN}.{_name(int(found[2]))}", text)


def _name(number: int) -> str:
    return f'"mapper {number}"'


def rows_of(types: Sequence[str]) -> str:
    """Return a source of rows from arrays, with their position behind their values."""
    arrays = ", ".join([f"${index + 1}::{array_of(each)}" for index, each in enumerate(types)])
    return f"unnest({arrays}) WITH ORDINALITY"


def transposed(rows: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
    """Return rows as columns."""
    return list(zip(*rows, strict=True))


def quoted(name: str) -> str:
    """Return an identifier as SQL takes it."""
    return '"' + name.replace('"', '""') + '"'


def table_of(described: RelationInfo, schema: str | None = None) -> str:
    """Return a relation's table as SQL takes it; `schema` is where it is if it declares none."""
    return ".".join([quoted(each) for each in (described.schema or schema, described.name) if each is not None])


def names_of(columns: Sequence[ColumnInfo]) -> str:
    """Return the names of columns as SQL takes them."""
    return ", ".join([quoted(each.name) for each in columns])


def types_of(columns: Sequence[ColumnInfo]) -> list[str]:
    """Return the types of columns as parameters have them."""
    return [parameter_type(each.type) for each in columns]
