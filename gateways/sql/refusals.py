"""
Why a write of one row changed none: the row is not there, or it has another version.

An operation, the encoded values of one row and whether its key is there go in; the error comes out.
"""

from collections.abc import Sequence
from typing import Any

from mapper.errors import MissingRow, StaleRow
from mapper.operations import DeleteSql, UpdateSql
from mapper.relation import info
from mapper.types import Codecs

__all__ = ["key_values", "unchanged_row"]


def key_values(operation: UpdateSql | DeleteSql, row: Sequence[Any]) -> tuple[Any, ...]:
    """Return the encoded key of a row of the operation, which its `probe` takes."""
    return tuple(row[operation.key_at]) if operation.key_at is not None else ()


def unchanged_row(
    operation: UpdateSql | DeleteSql, row: Sequence[Any], codecs: Codecs, *, is_there: bool
) -> StaleRow | MissingRow:
    """
    Return the error of a row that was not changed.

    Args:
        operation: The write.
        row: The row's encoded values.
        codecs: Of the gateway, for the key in the message.
        is_there: Whether there is a row with the key, whatever its version.
    """
    described = info(operation.relation)
    values = zip(described.primary_key, key_values(operation, row), strict=False)
    key = tuple([_decoded(codecs, column.type, value) for column, value in values])
    only = key[0] if len(key) == 1 else key
    name = f"row {only!r} of {described.original.__name__}"
    if is_there:
        return StaleRow(
            f"{name} has been written since it was read",
            relation=described.original,
            row_key=only,
            operation=operation,
            hint="read it again, and repeat the change on what it is now",
        )
    return MissingRow(
        f"{name} does not exist",
        relation=described.original,
        row_key=only,
        operation=operation,
        hint="it may have been deleted",
    )


def _decoded(codecs: Codecs, type_: Any, value: Any) -> Any:
    decode = codecs.decoder(type_)
    return value if decode is None else decode(value)
