"""
Arithmetic on expressions: of numbers, of texts, of moments and intervals, with the types that follow.

An expression and what it is combined with go in; an expression comes out. `mapper.expressions` makes it.
"""

from abc import abstractmethod
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic, overload

from typing_extensions import TypeVar

if TYPE_CHECKING:
    from mapper.expressions import Expr

__all__ = ["Arithmetic"]

T_co = TypeVar("T_co", covariant=True)
R_co = TypeVar("R_co", covariant=True, default=Any)
R = TypeVar("R")
R2 = TypeVar("R2")
N = TypeVar("N", int, float, Decimal, timedelta)


class Arithmetic(Generic[T_co, R_co]):
    """The arithmetic operators of an expression."""

    __slots__ = ()

    @overload
    def __add__(
        self: "Arithmetic[datetime, R]", other: "timedelta | Expr[timedelta, R2]"
    ) -> "Expr[datetime, R | R2]": ...
    @overload
    def __add__(  # type: ignore[overload-overlap]  # NULL alone is of all these types
        self: "Arithmetic[date, R]", other: "timedelta | Expr[timedelta, R2]"
    ) -> "Expr[date, R | R2]": ...
    @overload
    def __add__(  # type: ignore[overload-overlap]  # as above
        self: "Arithmetic[datetime | None, R]", other: "timedelta | Expr[timedelta | None, R2]"
    ) -> "Expr[datetime | None, R | R2]": ...
    @overload
    def __add__(  # type: ignore[overload-overlap]  # as above
        self: "Arithmetic[date | None, R]", other: "timedelta | Expr[timedelta | None, R2]"
    ) -> "Expr[date | None, R | R2]": ...
    @overload
    def __add__(self: "Arithmetic[N, R]", other: "Expr[N, R2]") -> "Expr[N, R | R2]": ...
    @overload
    def __add__(self: "Arithmetic[N, R]", other: N) -> "Expr[N, R]": ...  # pyright: ignore[reportOverlappingOverload]  # an int is no Decimal
    @overload
    def __add__(self: "Arithmetic[Decimal, R]", other: "int | Expr[int, R2]") -> "Expr[Decimal, R | R2]": ...
    @overload
    def __add__(self: "Arithmetic[str, R]", other: "Expr[str, R2]") -> "Expr[str, R | R2]": ...
    @overload
    def __add__(self: "Arithmetic[str, R]", other: str) -> "Expr[str, R]": ...
    @overload
    def __add__(  # type: ignore[overload-overlap]  # as above
        self: "Arithmetic[N | None, R]", other: "N | Expr[N | None, R2]"
    ) -> "Expr[N | None, R | R2]": ...
    @overload
    def __add__(
        self: "Arithmetic[str | None, R]", other: "str | Expr[str | None, R2]"
    ) -> "Expr[str | None, R | R2]": ...
    def __add__(self: "Arithmetic[Any, Any]", other: Any) -> "Expr[Any, Any]":
        return self._computed("add", other)

    def __radd__(self: "Arithmetic[Any, R]", other: Any) -> "Expr[Any, R]":
        return self._computed("add", other, reflected=True)

    @overload
    def __sub__(
        self: "Arithmetic[datetime, R]", other: "datetime | Expr[datetime, R2]"
    ) -> "Expr[timedelta, R | R2]": ...
    @overload
    def __sub__(
        self: "Arithmetic[datetime, R]", other: "timedelta | Expr[timedelta, R2]"
    ) -> "Expr[datetime, R | R2]": ...
    @overload
    def __sub__(self: "Arithmetic[date, R]", other: "date | Expr[date, R2]") -> "Expr[timedelta, R | R2]": ...
    @overload
    def __sub__(  # type: ignore[overload-overlap]  # as above
        self: "Arithmetic[date, R]", other: "timedelta | Expr[timedelta, R2]"
    ) -> "Expr[date, R | R2]": ...
    @overload
    def __sub__(  # type: ignore[overload-overlap]  # as above
        self: "Arithmetic[date | None, R]", other: "date | Expr[date | None, R2]"
    ) -> "Expr[timedelta | None, R | R2]": ...
    @overload
    def __sub__(  # type: ignore[overload-overlap]  # as above
        self: "Arithmetic[datetime | None, R]", other: "timedelta | Expr[timedelta | None, R2]"
    ) -> "Expr[datetime | None, R | R2]": ...
    @overload
    def __sub__(  # type: ignore[overload-overlap]  # as above
        self: "Arithmetic[date | None, R]", other: "timedelta | Expr[timedelta | None, R2]"
    ) -> "Expr[date | None, R | R2]": ...
    @overload
    def __sub__(self: "Arithmetic[N, R]", other: "Expr[N, R2]") -> "Expr[N, R | R2]": ...
    @overload
    def __sub__(self: "Arithmetic[N, R]", other: N) -> "Expr[N, R]": ...  # pyright: ignore[reportOverlappingOverload]  # an int is no Decimal
    @overload
    def __sub__(self: "Arithmetic[Decimal, R]", other: "int | Expr[int, R2]") -> "Expr[Decimal, R | R2]": ...
    @overload
    def __sub__(self: "Arithmetic[N | None, R]", other: "N | Expr[N | None, R2]") -> "Expr[N | None, R | R2]": ...
    def __sub__(self: "Arithmetic[Any, Any]", other: Any) -> "Expr[Any, Any]":
        return self._computed("sub", other)

    def __rsub__(self: "Arithmetic[Any, R]", other: Any) -> "Expr[Any, R]":
        return self._computed("sub", other, reflected=True)

    @overload
    def __mul__(self: "Arithmetic[N, R]", other: "Expr[N, R2]") -> "Expr[N, R | R2]": ...
    @overload
    def __mul__(self: "Arithmetic[N, R]", other: N) -> "Expr[N, R]": ...  # pyright: ignore[reportOverlappingOverload]  # an int is no Decimal
    @overload
    def __mul__(self: "Arithmetic[Decimal, R]", other: "int | Expr[int, R2]") -> "Expr[Decimal, R | R2]": ...
    @overload
    def __mul__(self: "Arithmetic[N | None, R]", other: "N | Expr[N | None, R2]") -> "Expr[N | None, R | R2]": ...
    def __mul__(self: "Arithmetic[Any, Any]", other: Any) -> "Expr[Any, Any]":
        return self._computed("mul", other)

    def __rmul__(self: "Arithmetic[Any, R]", other: Any) -> "Expr[Any, R]":
        return self._computed("mul", other, reflected=True)

    @overload
    def __truediv__(self: "Arithmetic[int, R]", other: "int | Expr[int, R2]") -> "Expr[float, R | R2]": ...
    @overload
    def __truediv__(self: "Arithmetic[float, R]", other: "float | Expr[float, R2]") -> "Expr[float, R | R2]": ...
    @overload
    def __truediv__(
        self: "Arithmetic[Decimal, R]", other: "int | Decimal | Expr[int, R2] | Expr[Decimal, R2]"
    ) -> "Expr[Decimal, R | R2]": ...
    @overload
    def __truediv__(  # type: ignore[overload-overlap]  # an expression that is never NULL is one that may be
        self: "Arithmetic[float | None, R]", other: "float | Expr[float | None, R2]"
    ) -> "Expr[float | None, R | R2]": ...
    @overload
    def __truediv__(
        self: "Arithmetic[Decimal | None, R]", other: "int | Decimal | Expr[Decimal | None, R2]"
    ) -> "Expr[Decimal | None, R | R2]": ...
    def __truediv__(self: "Arithmetic[Any, Any]", other: Any) -> "Expr[Any, Any]":
        """
        Divide: integers give a float, as in Python, and decimals a decimal, rounded to 28 digits after the point where it
        does not end before. By zero the result is NULL.
        """
        return self._computed("div", other)

    def __mod__(self: "Arithmetic[int, R] | Expr[int | None, R]", other: "int | Expr[int, R2]") -> "Expr[int, R | R2]":
        return self._computed("mod", other)

    def __neg__(self: "Arithmetic[N, R]") -> "Expr[N, R]":
        return self._computed("neg", None)

    @abstractmethod
    def _computed(self, name: str, other: Any, *, reflected: bool = False) -> "Expr[Any, Any]":
        """Return the operation of that name on this and another operand, which stands first where it is reflected."""
