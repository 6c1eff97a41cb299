"""
asyncpg, imported when the first connection is opened, and what it leaves behind.

Arguments go in; a connection of the driver comes out, or what the driver raised.
"""

import asyncio
import gc
import socket
from typing import Any, Final

from gateways.postgres.wires import set_codecs
from mapper.errors import CannotConnect

__all__ = ["connect", "forget_waiters"]

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
        _cancel_as_connected(driver)
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


def _cancel_as_connected(driver: Any) -> None:
    """
    Have requests to cancel go without TLS where the connection does: asyncpg would ask for it again for each of them.
    Where the connection is lost meanwhile it gives them up, and the future of that question is left with an error.
    """
    transport: Any = getattr(driver, "_transport", None)
    parameters: Any = getattr(driver, "_params", None)
    if transport is None or transport.get_extra_info("ssl_object") is not None or not hasattr(parameters, "_replace"):
        return
    if getattr(parameters, "ssl", None):
        driver._params = parameters._replace(ssl=None)


def forget_waiters(driver: Any) -> None:
    """
    Take the errors to come of futures that nobody waits for any more, after a COPY that failed.

    A COPY that asyncpg cannot begin, because the server has said goodbye on the connection, leaves its future behind.
    With the end of the connection that has an error, which the loop would tell of as never retrieved.
    """
    for each in gc.get_referents(getattr(driver, "_protocol", None)):
        if isinstance(each, asyncio.Future):
            each.add_done_callback(_take_error)


def _take_error(future: "asyncio.Future[Any]") -> None:
    if not future.cancelled():
        future.exception()
