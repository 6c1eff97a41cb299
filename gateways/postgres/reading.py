"""
Bounded reads on one connection.

A session and a read go in; objects of all of its rows come out, or an error of our tree.
"""

from collections.abc import Sequence
from typing import Any

from typing_extensions import TypeVar

from gateways.postgres.errors import reraise
from gateways.postgres.events import Events, Measured
from gateways.postgres.execution import failed, readable
from gateways.postgres.raw import alters
from gateways.postgres.session import Session
from mapper.gateway import Decode
from mapper.operations import Operation, QuerySql

__all__ = ["decoded", "fetch_on", "rows_for"]

T = TypeVar("T")


async def fetch_on(session: Session, operation: Operation, decode: Decode[T], events: Events) -> list[T]:
    """Run a read and return all of its rows as objects."""
    measured = Measured(events) if events else None
    try:
        sql, parameters = readable(operation)
        session.altered = session.altered or alters(operation)
        records = await session.driver.fetch(sql, *parameters)
        return decoded(records, operation, decode, measured)
    except BaseException as error:
        reraise(failed(session, error, operation, measured), error)


def rows_for(decode: Decode[Any], records: Sequence[Any]) -> Sequence[Any]:
    """Return the driver's records for a function: tuples, unless it unpacks whatever can be unpacked."""
    return records if hasattr(decode, "unpacks") else list(map(tuple, records))


def decoded(records: Sequence[Any], operation: Operation, decode: Decode[T], measured: Measured | None) -> list[T]:
    """Make objects of all of the driver's rows, and tell of the operation."""
    names = () if (isinstance(operation, QuerySql) and operation.columns) or not records else tuple(records[0].keys())
    rows = rows_for(decode, records)
    if measured is None:
        return decode(rows, names)
    return measured.decoded(operation, rows, names, decode)
