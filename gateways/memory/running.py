"""
Aggregates over frames that grow: each value is computed from the one before, not from the whole frame again.

Values and the bounds of frames go in, a value for each frame comes out. Frames that neither begin at the first row nor
end at the last are computed one by one.
"""

import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Protocol, TypeAlias

from gateways.memory.arithmetic import checked, finite
from gateways.memory.casts import plain
from mapper.functions import Aggregate
from mapper.types import Float, Numeric, decimals

__all__ = ["Bounds", "over_frames", "reduced"]

Bounds: TypeAlias = list[tuple[int, int]]
"""For each row the first position of its frame and the one after the last."""


class Running(Protocol):
    """An aggregate to which values are added one after the other."""

    def add(self, item: Any) -> None:
        """Take a further value, which is not NULL."""
        ...

    def value(self) -> Any:
        """Return the aggregate of all values so far."""
        ...


def over_frames(
    aggregate: Aggregate[Any, Any], items: list[Any], bounds: Bounds, reduce: Callable[[list[Any]], Any]
) -> list[Any]:
    """
    Return the aggregate of each frame.

    Args:
        aggregate: What is computed.
        items: The values, in order; None where there is nothing to count.
        bounds: The frames.
        reduce: Computes the aggregate of values that are not None.
    """
    if not aggregate.distinct:
        if all([low == 0 for low, _ in bounds]):
            return _growing(_running(aggregate), items, [high for _, high in bounds])
        size = len(items)
        if all([high == size for _, high in bounds]):
            grown = _growing(_running(aggregate), items[::-1], [size - low for low, _ in reversed(bounds)])
            return grown[::-1]
    return [reduced(aggregate, items[low:high], reduce) for low, high in bounds]


def reduced(aggregate: Aggregate[Any, Any], items: Sequence[Any], reduce: Callable[[list[Any]], Any]) -> Any:
    """Return the aggregate of the values of one frame; arguments as of `over_frames`."""
    known = [each for each in items if each is not None]
    return reduce(list(dict.fromkeys(known)) if aggregate.distinct else known)


def _growing(running: Running, items: Sequence[Any], ends: Sequence[int]) -> list[Any]:
    """Return the aggregates of the values before each of `ends`, which do not decrease."""
    taken, found = 0, []
    for end in ends:
        while taken < end:
            if items[taken] is not None:
                running.add(items[taken])
            taken += 1
        found.append(running.value())
    return found


def _running(aggregate: Aggregate[Any, Any]) -> Running:
    if aggregate.name == "count":
        return _Count()
    if aggregate.name in {"min", "max"}:
        return _Extreme(min if aggregate.name == "min" else max)
    operand = plain(aggregate.operands[0].type)
    total: _Total = (
        _FloatTotal()
        if isinstance(operand, Float)
        else _DecimalTotal()
        if isinstance(operand, Numeric)
        else _IntegerTotal()
    )
    return total if aggregate.name == "sum" else _Average(total)


class _Count:
    __slots__ = ("_count",)

    def __init__(self) -> None:
        self._count = 0

    def add(self, item: Any) -> None:
        del item
        self._count += 1

    def value(self) -> int:
        return self._count


class _Extreme:
    __slots__ = ("_best", "_choose")

    def __init__(self, choose: Callable[[Any, Any], Any]) -> None:
        self._choose = choose
        self._best: Any = None

    def add(self, item: Any) -> None:
        self._best = item if self._best is None else self._choose(self._best, item)

    def value(self) -> Any:
        return self._best


class _Total(Protocol):
    count: int

    def add(self, item: Any) -> None: ...
    def value(self) -> Any: ...
    def average(self) -> Any: ...


class _IntegerTotal:
    __slots__ = ("_total", "count")

    def __init__(self) -> None:
        self._total = 0
        self.count = 0

    def add(self, item: int) -> None:
        self._total += item
        self.count += 1

    def value(self) -> int | None:
        return checked(self._total) if self.count else None

    def average(self) -> float:
        return self._total / self.count


class _DecimalTotal:
    __slots__ = ("_total", "count")

    def __init__(self) -> None:
        self._total = Decimal(0)
        self.count = 0

    def add(self, item: Decimal) -> None:
        self._total = decimals.add(self._total, item)
        self.count += 1

    def value(self) -> Decimal | None:
        return self._total if self.count else None

    def average(self) -> Decimal:
        return decimals.divide(self._total, Decimal(self.count))


class _FloatTotal:
    """
    A sum of floats that is rounded once.

    It is kept as floats that do not overlap (J. R. Shewchuk, "Adaptive precision floating-point arithmetic", 1997), as
    `math.fsum` does.
    """

    __slots__ = ("_partials", "_special", "count")

    def __init__(self) -> None:
        self._partials: list[float] = []
        self._special: list[float] = []
        self.count = 0

    def add(self, item: float) -> None:
        self.count += 1
        if not math.isfinite(item):
            self._special.append(item)
            return
        kept = []
        for each in self._partials:
            large, small = (item, each) if abs(item) >= abs(each) else (each, item)
            item = large + small
            rest = small - (item - large)
            if rest:
                kept.append(rest)
        self._partials = [*kept, finite(item)]

    def value(self) -> float | None:
        if self._special:
            return finite(sum(self._special), *self._special)
        return finite(math.fsum(self._partials)) if self.count else None

    def average(self) -> float:
        total = self.value()
        return math.nan if total is None else total / self.count


class _Average:
    __slots__ = ("_total",)

    def __init__(self, total: _Total) -> None:
        self._total = total

    def add(self, item: Any) -> None:
        self._total.add(item)

    def value(self) -> Any:
        return self._total.average() if self._total.count else None
