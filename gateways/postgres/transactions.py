"""
Beginning and ending transactions.

A session and an operation go in. What has been sent to be committed is waited for, whoever is cancelled meanwhile.
"""

from types import TracebackType
from typing import Final

from gateways.postgres.session import Session
from gateways.postgres.shelter import Sheltered, given_up_after
from mapper.errors import ConnectionLost, RolledBack
from mapper.operations import Transaction

__all__ = ["atomic", "commit", "control", "undo"]

ROLLBACK_SECONDS: Final = 5.0
"""
How long ROLLBACK may take, also to a savepoint, which is never long; the connection is closed then, and the server rolls
back.
"""

_IN_TIME: Final = given_up_after(5.0)
"""How long COMMIT may take after whoever waits for it was cancelled."""


async def control(session: Session, operation: Transaction) -> None:
    """
    Begin or end a transaction or a savepoint.

    Raises:
        RolledBack: COMMIT was answered by ROLLBACK, because a statement had failed.
    """
    match operation.kind:
        case "commit":
            await commit(session)
        case "rollback":
            await _rollback(session)
        case "start":
            await session.driver.execute(_start(operation))
        case _:
            name = '"' + (operation.name or "").replace('"', '""') + '"'
            seconds = ROLLBACK_SECONDS if operation.kind == "rollback_to" else None
            await session.driver.execute(f"{_VERBS[operation.kind]} {name}", timeout=seconds)


_VERBS: Final = {"savepoint": "SAVEPOINT", "release": "RELEASE SAVEPOINT", "rollback_to": "ROLLBACK TO SAVEPOINT"}


def _start(operation: Transaction) -> str:
    level = "" if operation.isolation is None else f" ISOLATION LEVEL {operation.isolation.upper()}"
    return f"BEGIN{level}{' READ ONLY' if operation.read_only else ''}"


async def commit(session: Session) -> None:
    """
    Commit, to the end even if whoever waits is cancelled.

    Raises:
        ConnectionLost: The connection had been lost before COMMIT was sent.
        RolledBack: COMMIT was answered by ROLLBACK, because a statement had failed.
    """
    if not await session.look():
        raise ConnectionLost("the connection was lost before COMMIT was sent", hint="nothing was written: try again")
    session.committing = True
    status = await Sheltered(session.driver.execute("COMMIT"), _IN_TIME)
    session.committing = False
    if status != "COMMIT":
        raise RolledBack(
            f"the transaction was rolled back: COMMIT was answered by {status}",
            hint="a statement of it failed before, and its error was dropped",
        )


async def _rollback(session: Session) -> None:
    if session.is_open() and session.in_transaction():
        await session.driver.execute("ROLLBACK", timeout=ROLLBACK_SECONDS)


class atomic:
    """Do several statements or none: in the open transaction, which an error dooms, or in one of their own."""

    __slots__ = ("_own", "_session")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._own = False

    async def __aenter__(self) -> None:
        if not self._session.in_transaction():
            await self._session.driver.execute("BEGIN")
            self._own = True

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._own:
            return
        if error is None:
            await commit(self._session)
        elif isinstance(error, Exception):
            await undo(self._session)


async def undo(session: Session) -> None:
    """Roll back. Where that fails the connection is closed, and with it what is open; nothing is raised."""
    try:
        await _rollback(session)
    except Exception:
        session.terminate()
