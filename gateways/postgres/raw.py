"""
Statements of the user's own: their text with PostgreSQL's placeholders, and what they may have done to the connection.

A `RawSql` goes in.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from attrs import frozen

from gateways.postgres.session import Session
from gateways.postgres.updating import affected
from mapper.errors import QueryError, StatementError
from mapper.operations import Operation, RawSql, Result
from mapper.placeholders import split_placeholders

__all__ = ["alters", "nature", "run_alone", "run_raw", "text_of"]

_HEAD: Final = re.compile(r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*(\w*)\s*(\w*)", re.DOTALL)
_RETURNING: Final = re.compile(r"\bRETURNING\b", re.IGNORECASE)
_WRITING: Final = frozenset({"DELETE", "INSERT", "MERGE", "UPDATE"})
_MAKING: Final = frozenset(
    {"ALTER", "ANALYZE", "COMMENT", "CREATE", "DO", "DROP", "GRANT", "REVOKE", "TRUNCATE", "VACUUM"}
)
_READING: Final = frozenset({"EXPLAIN", "FETCH", "RESET", "SELECT", "SET", "SHOW", "TABLE", "VALUES"})
_COMMITTING: Final = frozenset({"COMMIT", "END"})
_TEMPORARY: Final = frozenset({"TEMP", "TEMPORARY", "LOCAL", "GLOBAL"})


@frozen
class Nature:
    """
    What a raw statement is, as far as its first words tell.

    Attributes:
        counts: It gives a number of rows and no rows.
        writes: It may change the store.
        commits: It ends a transaction.
        alters: It may leave something behind on its connection: a SELECT may call `set_config` or take an advisory
            lock.
    """

    counts: bool
    writes: bool
    commits: bool
    alters: bool


@lru_cache(512)
def nature(text: str) -> Nature:
    """Judge a statement by its first words."""
    found = _HEAD.match(text)
    head, second = [each.upper() for each in found.groups()] if found is not None else ("", "")
    if head in _WRITING:
        return Nature(_RETURNING.search(text) is None, writes=True, commits=False, alters=False)
    if head in _MAKING:
        return Nature(True, writes=True, commits=False, alters=head == "DO" or second in _TEMPORARY)
    return Nature(False, writes=_may_write(head, text), commits=head in _COMMITTING, alters=head != "VALUES")


def _may_write(head: str, text: str) -> bool:
    """Whether a statement of another kind may change the store. What a function does that it calls is not looked at."""
    if head in _READING:
        return False
    return head != "WITH" or any(each in _WRITING for each in re.findall(r"\w+", text.upper()))


def alters(operation: Operation) -> bool:
    """Whether an operation may leave something behind on its connection."""
    return isinstance(operation, RawSql) and nature(operation.text).alters


async def run_raw(session: Session, operation: RawSql) -> Result:
    """Run a statement and return its rows, or how many it wrote."""
    judged, text = nature(operation.text), text_of(operation)
    session.altered = session.altered or judged.alters
    if judged.counts:
        return Result((), affected(await session.driver.execute(text, *operation.parameters)))
    if operation.text.lstrip()[:4].upper() == "WITH":
        return await _run_prepared(session, text, operation.parameters)
    rows = list(map(tuple, await session.driver.fetch(text, *operation.parameters)))
    return Result(rows, len(rows))


async def _run_prepared(session: Session, text: str, parameters: Sequence[Any]) -> Result:
    """Run a statement of which only the server knows whether it gives rows."""
    statement = await session.driver.prepare(text)
    rows = list(map(tuple, await statement.fetch(*parameters)))
    return Result(rows, len(rows)) if statement.get_attributes() else Result((), affected(statement.get_statusmsg()))


async def run_alone(session: Session, operation: RawSql) -> Result:
    """
    Run a statement in a transaction of its own.

    Raises:
        StatementError: It leaves a transaction open, which nobody could end.
    """
    result = await run_raw(session, operation)
    if session.in_transaction():
        await session.driver.execute("ROLLBACK")
        raise StatementError(
            "the operation leaves a transaction open, which was rolled back",
            operation=operation,
            hint="use transaction() of the repository, or hold a connection: async with gateway.connection()",
        )
    return result


def text_of(operation: RawSql) -> str:
    """
    Return the text with numbered placeholders.

    Raises:
        QueryError: The numbers of placeholders and parameters differ.
    """
    text, count = _placed(operation.text)
    if count != len(operation.parameters):
        raise QueryError(
            f"the raw statement has {count} placeholders and {len(operation.parameters)} parameters",
            hint="write '??' for a question mark; in quotes and comments a single one is literal",
        )
    return text


@lru_cache(512)
def _placed(text: str) -> tuple[str, int]:
    first, *others = split_placeholders(text)
    return first + "".join([f"${index + 1}{each}" for index, each in enumerate(others)]), len(others)
