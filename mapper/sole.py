"""
The commonest commits: one row, inserted or updated alone.

The write of one row goes in; what comes out compiles its one operation, sends it and takes the answer. It does what
`mapper.commit` does with any changeset, without the steps that order, divide and gather: they take as long as all else
that is done for one row.
"""

from collections.abc import Coroutine
from typing import Any

from mapper.blaming import blame
from mapper.committed import Committed
from mapper.errors import ConstraintViolation
from mapper.insertion import key_of, require_generated
from mapper.stages import form_of, further_of
from mapper.statements import InsertRows, UpdateRows
from mapper.stores import Stores
from mapper.writes import PushedRows, UpdatedRows, Write

__all__ = ["sole"]


def sole(write: Write, repository: Stores[Any], owner: object) -> Coroutine[Any, Any, Committed] | None:
    """
    Return what commits the only row of a changeset; None where it is neither a new row nor an update by key.

    Args:
        write: With one row.
        repository: Where to; it may be a transaction.
        owner: Of the changeset's refs.
    """
    if type(write) is PushedRows and write.conflict is None and write.returned is None and not write.refs:
        return _insert(write, repository, owner)
    if type(write) is UpdatedRows and not write.refs and not write.shape.differing:
        return _update(write, repository, owner)
    return None


async def _insert(write: PushedRows, repository: Stores[Any], owner: object) -> Committed:
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
    if shape.returning or shape.key_indexes:
        done._keys[0] = key_of(shape, rows[0], result, gateway.codecs)
    return done


async def _update(write: UpdatedRows, repository: Stores[Any], owner: object) -> Committed:
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
