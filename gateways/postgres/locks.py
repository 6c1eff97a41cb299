"""
Advisory locks as the server knows them: by a number of 64 bits.

A key goes in, its number comes out; a session and a `Call` go in, and the lock is held until the transaction ends.
"""

from hashlib import blake2b
from typing import Final

from gateways.postgres.session import Session
from mapper.errors import QueryError
from mapper.operations import Call, Result

__all__ = ["LOCK", "lock", "lock_call", "number_of", "taking"]

LOCK: Final = "advisory lock"

_SMALLEST: Final = -(2**63)
_LARGEST: Final = 2**63 - 1


def number_of(key: object) -> int:
    """
    Return the number of a lock: an int is itself; of text it is the first 8 bytes of its BLAKE2b digest of that length
    (RFC 7693), in UTF-8, as a signed big-endian number. It is the same in every process and version.

    Raises:
        QueryError: The key is neither, or a number of more than 64 bits.
    """
    if isinstance(key, str):
        try:
            return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big", signed=True)
        except UnicodeEncodeError:
            raise QueryError(f"the key of the lock {key!r} cannot be encoded", hint="leave out surrogates") from None
    if not isinstance(key, int) or isinstance(key, bool):
        raise QueryError(f"the key of the lock is {key!r}, expected a number or text", hint='such as "nightly report"')
    if not _SMALLEST <= key <= _LARGEST:
        raise QueryError(f"the key of the lock is {key!r}, expected a number of 64 bits", hint="give text, str(key)")
    return key


def taking(*, session: bool, wait: bool, shared: bool, number: int | None = None) -> str:
    """Return the statement that takes a lock, for its session or for its transaction: of a number, or a parameter."""
    function = f"pg_{'' if wait else 'try_'}advisory_{'' if session else 'xact_'}lock{'_shared' if shared else ''}"
    return f"SELECT {function}({'$1' if number is None else number})"


def lock_call(number: int, *, wait: bool, shared: bool, milliseconds: int | None = None) -> Call:
    """Return the operation that takes a lock until the transaction ends; its one row tells whether it has it."""
    return Call(LOCK, (number, wait, shared, milliseconds))


async def lock(session: Session, call: Call) -> Result:
    """Take a lock until the transaction ends."""
    number, wait, shared, milliseconds = call.arguments
    driver, statement = session.driver, taking(session=False, wait=wait, shared=shared)
    if milliseconds is None:
        taken = await driver.fetchval(statement, number)
    else:
        before = await driver.fetchval("SELECT current_setting('lock_timeout')")
        await driver.execute("SELECT set_config('lock_timeout', $1, true)", f"{milliseconds}ms")
        taken = await driver.fetchval(statement, number)
        await driver.execute("SELECT set_config('lock_timeout', $1, true)", before)
    return Result([(wait or bool(taken),)], 1)
