"""
Bounded reads: a session and a read go in, objects of all of its rows come out.
"""

from typing_extensions import TypeVar

from gateways.memory.session import Session, translated
from gateways.memory.sharing import Shared
from mapper.gateway import Decode
from mapper.operations import Operation

__all__ = ["fetched"]

T = TypeVar("T")


def fetched(shared: Shared, session: Session, operation: Operation, decode: Decode[T]) -> list[T]:
    """Run a read, make objects of its rows, and tell who listens."""
    clock = shared.listeners.clock()
    if clock is None:
        with translated(operation):
            rows = list(session.rows(operation))
        return decode(rows, ())
    try:
        with translated(operation):
            rows = list(session.rows(operation))
        clock.rows = len(rows)
        clock.queried()
        objects = decode(rows, ())
        clock.decoded()
    except BaseException as error:
        shared.listeners.tell(clock.event(operation, error))
        raise
    shared.listeners.tell(clock.event(operation))
    return objects
