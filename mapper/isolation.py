"""
What a transaction can be begun with: levels of isolation, and reading only.
"""

from typing import Final, Literal, TypeAlias, get_args

from mapper.capabilities import Capabilities
from mapper.errors import QueryError, Unsupported
from mapper.gateway import TransactionOptions

__all__ = ["LEVELS", "Isolation", "transaction_options"]

Isolation: TypeAlias = Literal["read uncommitted", "read committed", "repeatable read", "serializable"]
"""The levels of the SQL standard, the weakest first."""

LEVELS: Final[tuple[str, ...]] = get_args(Isolation)


def transaction_options(
    capabilities: Capabilities, *, isolation: str | None = None, read_only: bool = False
) -> TransactionOptions:
    """
    Return what a transaction is begun with.

    Raises:
        QueryError: The level is unknown.
        Unsupported: The gateway has no transactions, or cannot give what is asked for; it is never given less.
    """
    capabilities.require("transactions", what="a transaction")
    if isolation is not None:
        if isolation not in LEVELS:
            listed = ", ".join([repr(each) for each in LEVELS])
            raise QueryError(f"isolation is {isolation!r}, expected a level", hint=f"levels are: {listed}")
        if isolation not in capabilities.isolation_levels:
            known = ", ".join([repr(each) for each in LEVELS if each in capabilities.isolation_levels]) or "none"
            raise Unsupported(
                "isolation_levels",
                capabilities.gateway,
                f"the {capabilities.gateway} gateway cannot give the isolation level {isolation!r}",
                hint=f"it can give: {known}",
            )
    if read_only:
        capabilities.require("read_only", what="a read-only transaction")
    return TransactionOptions(isolation=isolation, read_only=read_only)
