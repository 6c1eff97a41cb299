"""
Values as JSON has them, with a name where it has none: bytes, moments, floats that are no numbers.

What MessagePack can say goes in and what JSON can say comes out; and the other way round.
"""

import base64
import math
from datetime import datetime
from typing import Any

__all__ = ["plain", "unplain"]


def plain(value: Any) -> Any:
    """Return a value as JSON has it, with a name where it has none."""
    if isinstance(value, bytes | bytearray | memoryview):
        return {"bytes": base64.b64encode(bytes(value)).decode()}
    if isinstance(value, datetime):
        return {"moment": value.isoformat()}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    if isinstance(value, list | tuple):
        return {"list": [plain(each) for each in value]}
    if isinstance(value, dict):
        return {"map": [[plain(key), plain(each)] for key, each in value.items()]}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{type(value).__name__} has no JSON")


def unplain(said: Any) -> Any:
    """Return the value that `plain` made this of."""
    match said:
        case {"bytes": str(text)} if len(said) == 1:
            return base64.b64decode(text, validate=True)
        case {"moment": str(text)} if len(said) == 1:
            return datetime.fromisoformat(text)
        case {"float": "nan" | "inf" | "-inf" as text} if len(said) == 1:
            return float(text)
        case {"list": list(items)} if len(said) == 1:
            return [unplain(each) for each in items]
        case {"map": list(items)} if len(said) == 1:
            return {unplain(key): unplain(each) for key, each in items}
        case None | bool() | int() | float() | str():
            return said
        case _:
            raise ValueError(f"{said!r} is no value")
