"""
asyncpg, imported when the first connection is opened.

Arguments go in; a connection of the driver comes out, or what the driver raised.
"""

import socket
from typing import Any, Final

from gateways.postgres.wires import set_codecs
from mapper.errors import CannotConnect

__all__ = ["connect"]

KEEPALIVE: Final = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
"""
When a connection on which nothing comes is asked whether the other end is there: after so many seconds, again after so
many, and so often. Without it whoever waits for the answer of a machine that is gone waits for ever.
"""

UNANSWERED_MILLISECONDS: Final = 60_000
"""How long what was sent may go without the other end's acknowledgement."""


async def connect(arguments: dict[str, Any]) -> Any:
    """
    Open a connection.

    Raises:
        CannotConnect: asyncpg is not installed.
        Exception: What the driver raised.
    """
    try:
        import asyncpg
    except ImportError as error:
        raise CannotConnect(
            "the postgres gateway needs asyncpg, which is not installed", hint='pip install "tbd-mapper[postgres]"'
        ) from error
    driver = await asyncpg.connect(**arguments)
    try:
        _keep_alive(getattr(driver, "_transport", None))
        await set_codecs(driver)
    except BaseException:
        driver.terminate()
        raise
    return driver


def _keep_alive(transport: Any) -> None:
    """Have the system find out that the other end has gone."""
    connection = None if transport is None else transport.get_extra_info("socket")
    if connection is None or connection.family not in (socket.AF_INET, socket.AF_INET6):
        return
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in {**KEEPALIVE, "TCP_USER_TIMEOUT": UNANSWERED_MILLISECONDS}.items():
            if hasattr(socket, name):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    except OSError:  # it has gone already, which the first operation tells
        pass
