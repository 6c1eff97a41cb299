"""
asyncpg, imported when the first connection is opened.

Settings go in, a connection of the driver comes out.
"""

from typing import Any

from gateways.postgres.errors import cannot_connect
from gateways.postgres.settings import Settings
from mapper.errors import CannotConnect

__all__ = ["connect"]


async def connect(settings: Settings) -> Any:
    """
    Open a connection.

    Raises:
        CannotConnect: asyncpg is not installed, or the server cannot be reached or refuses.
    """
    try:
        import asyncpg
    except ImportError as error:
        raise CannotConnect(
            "the postgres gateway needs asyncpg, which is not installed", hint='pip install "tbd-mapper[postgres]"'
        ) from error
    try:
        return await asyncpg.connect(**settings.arguments())
    except (
        OSError,
        TimeoutError,
        ValueError,
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
    ) as error:
        raise cannot_connect(error, settings.shown) from error
