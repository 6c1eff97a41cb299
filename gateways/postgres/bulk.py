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

_TYPE: Final = r"""(?:\w+|"(?:[^"]|"")*")(?:\."(?:[^"]|"")*")?(?:\[\])?"""
_PLACE: Final = re.compile(rf"""('(?:[^']|'')*'|"(?:[^"]|"")*")|\$(\d+)::({_TYPE})""")


@frozen
class Bulk:
    """
    A write of single rows by key, for many rows.

    Attributes:
        sql: With a parameter for each value of a row, which is the array of that value of all rows. It gives back the
            positions, from 1, of the rows that were written.
    """

    sql: str


@lru_cache(1024)
def columns_of(sql: str) -> tuple[str, ...] | None:
    """Return the types of a text's parameters; None where one of them is an array, which an array cannot hold."""
    places = {int(found[2]): found[3] for found in _PLACE.finditer(sql) if found[2]}
    types = tuple([places[each] for each in sorted(places)])
    return None if any(each.endswith("[]") for each in types) else types


@lru_cache(1024)
def written_together(sql: str, width: int) -> Bulk | None:
    """
    Return a write of single rows, `UPDATE … WHERE key = $3::bigint` or a delete, for many rows; None where that cannot
    be.
    """
    types = columns_of(sql)
    head, where, condition = sql.rpartition(" WHERE ")
    if types is None or not where or len(types) != width:
        return None
    source = f"{rows_of(types)} AS {GIVEN} ({', '.join([*[_name(each + 1) for each in range(width)], ORDER])})"
    verb = "USING" if head.startswith("DELETE ") else "FROM"
    text = f"{_placed(head)} {verb} {source} WHERE {_placed(condition)} RETURNING {GIVEN}.{ORDER}"
    return Bulk(text)


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
