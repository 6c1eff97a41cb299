"""
The commonest commits: one row, inserted or updated alone.

The write of one row goes in; what comes out compiles its one operation, sends it and takes the answer. It does what
`mapper.commit` does with any changeset, without the steps that order, divide and gather: they take as long as all else
that is done for one row.
"""

from typing import Any

from mapper.blaming import blame
from mapper.committed import Committed
from mapper.errors import ConstraintViolation
from mapper.insertion import key_of, require_generated
from mapper.stages import form_of, further_of
from mapper.statements import InsertRows, UpdateRows
from mapper.stores import Stores
from mapper.writes import PushedRows, UpdatedRows

__all__ = ["insert_sole", "update_sole"]


async def insert_sole(write: PushedRows, repository: Stores[Any], owner: object) -> Committed:
    """
    Insert the only row of a changeset, which has neither a rule for conflicts nor refs, nor gives anything back.

    Args:
        write: With one row.
        repository: Where to; it may be a transaction.
        owner: Of the changeset's refs.
    """
    shape, executor = write.shape, repository._executor
    gateway = executor.gateway
    if not shape.relations <= repository._relations:
        repository._require(shape.relations)
    kind, capabilities = shape.generated_kind, gateway.capabilities
    if kind is not None and kind not in capabilities.generated_keys:
        require_generated(shape, capabilities)
    rows = shape.complete(write.rows) if shape.defaults else write.rows[:]
    statement = InsertRows(shape.described.relation, shape.columns, rows, shape.returning)
    done = Committed(1, owner)
    operation = gateway.compile(statement)
    try:
        result = await executor.execute(operation)
    except ConstraintViolation as error:
        blame(error, shape, rows, write.positions, done)
        raise
    done.inserted = 1
    ready = shape.ready
    if ready is not None and ready[0] is gateway.codecs and shape.returning:
        back, decode = result.rows[0], ready[1]
        done._keys[0] = back[0] if decode is None else decode(back)
    elif shape.returning or shape.key_indexes:
        done._keys[0] = key_of(shape, rows[0], result, gateway.codecs)
    return done


async def update_sole(write: UpdatedRows, repository: Stores[Any], owner: object) -> Committed:
    """Update the only row of a changeset, whose values have no refs; arguments as of `insert_sole`."""
    shape, executor = write.shape, repository._executor
    form = shape.form or form_of(shape)
    if not form.relations <= repository._relations:
        repository._require(form.relations)
    row, further = write.rows[0], form.further
    if further is None:
        further = further_of(shape)
    if further:
        row = row[: shape.width] + further + row[shape.width :]
    statement = UpdateRows(shape.described.relation, form.assignments, [row], form.key, form.version)
    done = Committed(1, owner)
    await executor.execute(executor.gateway.compile(statement))
    done.updated = 1
    return done
