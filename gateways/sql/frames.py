"""
Frames of windows to SQL.

A window with a frame goes in; the text of the frame comes out.
"""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from gateways.sql.dialect import Dialect, stored
from mapper.errors import Unsupported
from mapper.frames import Distance, Frame
from mapper.functions import Window
from mapper.types import Numeric

__all__ = ["frame_text"]


def frame_text(window: Window[Any, Any], frame: Frame, dialect: Dialect) -> str:
    """
    Return the frame of a window.

    Raises:
        Unsupported: It is bounded by distances that the store cannot measure.
    """
    measure = _measure(window, frame, dialect)
    start, end = _bound(frame.start, "PRECEDING", measure), _bound(frame.end, "FOLLOWING", measure)
    excluded = f" EXCLUDE {frame.exclude.upper()}" if frame.exclude is not None else ""
    return f"{frame.unit.upper()} BETWEEN {start} AND {end}{excluded}"


def _measure(window: Window[Any, Any], frame: Frame, dialect: Dialect) -> Callable[[Any], str]:
    """Return what writes a distance: that of the type which the window is ordered by, and plain numbers of rows."""
    if not frame.distances:
        return str
    ordered = stored(window.order_by[0].expression.type)
    found = next((each for each in type(ordered).__mro__ if each in dialect.distances), None)
    if found is None:
        raise Unsupported(
            "range",
            dialect.capabilities.gateway,
            f"a frame by distances of {type(ordered).__name__} is not supported by the {dialect.capabilities.gateway} gateway",
            hint="order by an integer or a float, or count rows: rows_between(…)",
        )
    write = dialect.distances[found]
    return (lambda distance: write(Decimal(distance))) if found is Numeric else write


def _bound(offset: Distance | None, unbounded: str, measure: Callable[[Any], str]) -> str:
    if offset is None:
        return f"UNBOUNDED {unbounded}"
    if not offset:
        return "CURRENT ROW"
    behind = offset < timedelta() if isinstance(offset, timedelta) else offset < 0
    return f"{measure(-offset if behind else offset)} {'PRECEDING' if behind else 'FOLLOWING'}"
