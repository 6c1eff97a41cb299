"""
The commonest commits: one row, inserted or updated alone.

The write of one row goes in, its one operation comes out; the answer goes in, what was done comes out. It does what
`mapper.commit` does with any changeset, without the steps that order, divide and gather: they take as long as all else
that is done for one row.
"""

from collections.abc import Sequence
from typing import Any

from mapper.committed import Committed
from mapper.gateway import Gateway
from mapper.insertion import key_of, require_generated
from mapper.layouts import RowShape, Values
from mapper.operations import Operation, Result
from mapper.stages import form_of, further_of
from mapper.statements import InsertRows, UpdateRows
from mapper.stores import Stores
from mapper.types import Codecs
from mapper.writes import PushedRows, UpdatedRows

__all__ = ["insert_of", "take_insert", "update_of"]


def insert_of(write: PushedRows, repository: Stores[Any], gateway: Gateway) -> tuple[Sequence[Values], Operation]:
    """
    Return the only row of a changeset with what its defaults make, and the operation that inserts it. It has neither a
    rule for conflicts nor refs, nor gives anything back.

    Args:
        write: With one row.
        repository: Where to; it may be a transaction.
        gateway: Its gateway.

    Raises:
        NotStored, Unsupported, ValueNotStorable, QueryError: It cannot be sent.
    """
    shape = write.shape
    if not shape.relations <= repository._relations:
        repository._require(shape.relations)
    kind, capabilities = shape.generated_kind, gateway.capabilities
    if kind is not None and kind not in capabilities.generated_keys:
        require_generated(shape, capabilities)
    rows = shape.complete(write.rows) if shape.defaults else write.rows[:]
    return rows, gateway.compile(InsertRows(shape.described.relation, shape.columns, rows, shape.returning))


def take_insert(shape: RowShape, rows: Sequence[Values], result: Result, codecs: Codecs, done: Committed) -> None:
    """Take the answer to the insert of one row."""
    done.inserted = 1
    ready = shape.ready
    if ready is not None and ready[0] is codecs and shape.returning:
        back, decode = result.rows[0], ready[1]
        done._keys[0] = back[0] if decode is None else decode(back)
    elif shape.returning or shape.key_indexes:
        done._keys[0] = key_of(shape, rows[0], result, codecs)


def update_of(write: UpdatedRows, repository: Stores[Any], gateway: Gateway) -> Operation:
    """Return the operation that updates the only row of a changeset, whose values have no refs; as of `insert_of`."""
    shape = write.shape
    form = shape.form or form_of(shape)
    if not form.relations <= repository._relations:
        repository._require(form.relations)
    row, further = write.rows[0], form.further
    if further is None:
        further = further_of(shape)
    if further:
        row = row[: shape.width] + further + row[shape.width :]
    statement = UpdateRows(shape.described.relation, form.assignments, [row], form.key, form.version)
    return gateway.compile(statement)
