"""
The libraries of the extra `redis`, imported when the first driver is made: redis-py connects, hiredis parses.
"""

import importlib
from typing import Any

from mapper.errors import CacheConfigError

__all__ = ["load", "reader"]


def load(name: str = "redis.asyncio") -> Any:
    """
    Return a module of the extra.

    Raises:
        CacheConfigError: It is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = "hiredis" if name == "hiredis" else "redis-py"
        raise CacheConfigError(
            f"the redis driver needs {missing}, which is not installed", hint='pip install "tbd-mapper[redis]"'
        ) from error


def reader(refusal: type[Exception], incomplete: object) -> Any:
    """Return a parser of replies. Errors come out as values of the class given, and what is no reply raises."""
    return load("hiredis").Reader(protocolError=ValueError, replyError=refusal, notEnoughData=incomplete)
