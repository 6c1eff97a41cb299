"""
Functions of dates and datetimes. Sums and differences are operators: `Posts.created_at + timedelta(days=1)`.

An expression goes in, an expression comes out. Aware datetimes are taken in UTC, whatever the store's time zone is.
"""

from datetime import date, datetime
from typing import Any, Final, Literal, TypeAlias, overload

from typing_extensions import TypeVar

from mapper import types
from mapper.errors import QueryError
from mapper.expressions import Call, Expr
from mapper.operands import moment

__all__ = ["Unit", "date_trunc"]

R = TypeVar("R")

Unit: TypeAlias = Literal["year", "quarter", "month", "week", "day", "hour", "minute", "second"]
"""What a moment is cut off to; a week begins on Monday."""

UNITS: Final = ("year", "quarter", "month", "week", "day", "hour", "minute", "second")
WITHIN_A_DAY: Final = frozenset({"hour", "minute", "second"})


@overload
def date_trunc(unit: Unit, value: Expr[datetime, R]) -> Expr[datetime, R]: ...
@overload
def date_trunc(unit: Unit, value: Expr[datetime | None, R]) -> Expr[datetime | None, R]: ...  # type: ignore[overload-overlap]  # as above
@overload
def date_trunc(unit: Unit, value: Expr[date, R]) -> Expr[date, R]: ...
@overload
def date_trunc(unit: Unit, value: Expr[date | None, R]) -> Expr[date | None, R]: ...
def date_trunc(unit: Unit, value: Expr[Any, Any]) -> Expr[Any, Any]:
    """
    Return the beginning of the year, month … that a moment is in: `fn.date_trunc("month", Orders.paid_at)`.

    Raises:
        QueryError: The unit is unknown, or is a part of a day and the moment a date.
    """
    item = moment("date_trunc", value)
    known = [each for each in UNITS if each not in WITHIN_A_DAY or not isinstance(item.type, types.Date)]
    if unit not in known:
        raise QueryError(f"date_trunc to {unit!r}, expected one of: {', '.join(known)}")
    return Call(f"trunc_{unit}", (item,), item.type, nullable=None)
