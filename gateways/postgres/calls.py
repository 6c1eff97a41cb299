"""
Operations that only PostgreSQL has: notifications, advisory locks, copies.

A session and a `Call` go in, a result comes out.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from gateways.postgres.copies import COPY_FROM, COPY_TO, copy_in, copy_out
from gateways.postgres.locks import LOCK, lock
from gateways.postgres.notifying import NOTIFY, send
from gateways.postgres.session import Session
from mapper.errors import Unsupported
from mapper.operations import Call, Result

__all__ = ["accepted", "run_call"]

_RUNNERS: Final[dict[str, Callable[[Session, Call], Awaitable[Result]]]] = {
    NOTIFY: send,
    LOCK: lock,
    COPY_FROM: copy_in,
    COPY_TO: copy_out,
}

_IN_CHANGESETS: Final = frozenset({NOTIFY})


async def run_call(session: Session, call: Call) -> Result:
    """
    Run a call in whatever transaction is open.

    Raises:
        Unsupported: It is none of PostgreSQL's.
    """
    run = _RUNNERS.get(call.name)
    if run is None:
        raise Unsupported(call.name, "postgres")
    return await run(session, call)


def accepted(call: Call) -> Call:
    """
    Return a call that may stand in a changeset.

    Raises:
        Unsupported: It is none of PostgreSQL's, or nothing that a changeset does.
    """
    if call.name not in _IN_CHANGESETS:
        raise Unsupported(call.name, "postgres", f"a changeset of the postgres gateway does not run {call.name!r}")
    return call
