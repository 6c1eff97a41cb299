"""
Functions of numbers: roots, powers, logarithms, signs, the greatest and the least.

Expressions and values go in, an expression comes out; where one operand is NULL the value is NULL. Outside of a
function's domain it is NULL as well, as a quotient by zero is; a result that a float cannot hold is an error. There is
no `random`: a query would mean something else each time that it runs.
"""

from typing import Any

from typing_extensions import TypeVar

from mapper import types
from mapper.choices import of_one_type
from mapper.errors import QueryError
from mapper.expressions import FLOAT, INTEGER, Call, Expr, operand
from mapper.operands import numeric
from mapper.terms import literal

__all__ = ["exp", "greatest", "least", "ln", "log10", "power", "sign", "sqrt"]

T = TypeVar("T")
R = TypeVar("R")
R2 = TypeVar("R2")
R3 = TypeVar("R3")


def sqrt(number: Expr[int, R] | Expr[float, R] | Expr[int | None, R] | Expr[float | None, R]) -> Expr[float | None, R]:
    """Return the square root; NULL of a negative number."""
    return _of_floats("sqrt", number)


def exp(number: Expr[int, R] | Expr[float, R] | Expr[int | None, R] | Expr[float | None, R]) -> Expr[float | None, R]:
    """Return e to the power of the number."""
    return _of_floats("exp", number)


def ln(number: Expr[int, R] | Expr[float, R] | Expr[int | None, R] | Expr[float | None, R]) -> Expr[float | None, R]:
    """Return the natural logarithm; NULL of a number that is not positive."""
    return _of_floats("ln", number)


def log10(number: Expr[int, R] | Expr[float, R] | Expr[int | None, R] | Expr[float | None, R]) -> Expr[float | None, R]:
    """Return the logarithm to base 10; NULL of a number that is not positive."""
    return _of_floats("log10", number)


def power(
    number: Expr[int, R] | Expr[float, R] | Expr[int | None, R] | Expr[float | None, R],
    exponent: float | Expr[int, R2] | Expr[float, R2] | Expr[int | None, R2] | Expr[float | None, R2],
) -> Expr[float | None, R | R2]:
    """
    Return the number to the power of the exponent, as a float; NULL of zero to a negative power, and of a negative
    number to a power that is not whole.
    """
    return _of_floats("power", number, exponent if isinstance(exponent, Expr) else literal(float(exponent)))


def sign(number: Expr[Any, R]) -> Expr[int | None, R]:
    """Return 1 for a positive number, -1 for a negative one, and 0 for zero."""
    return Call("sign", (numeric("sign", number),), INTEGER, nullable=None)


def greatest(first: Expr[T, R], *others: T | Expr[T, R2]) -> Expr[T, R | R2]:
    """Return the greatest of the values, by their order; NULL where one of them is NULL."""
    return _extreme("greatest", first, others)


def least(first: Expr[T, R], *others: T | Expr[T, R2]) -> Expr[T, R | R2]:
    """Return the least of the values, by their order; NULL where one of them is NULL."""
    return _extreme("least", first, others)


def _of_floats(name: str, *numbers: Any) -> Expr[Any, Any]:
    for each in numbers:
        if isinstance(numeric(name, each).type, types.Numeric):
            raise QueryError(
                f"{name} is of floats, and {each!r} is a decimal, which would lose digits", hint="cast it: .cast(float)"
            )
    return Call(name, numbers, FLOAT, nullable=True)


def _extreme(name: str, first: Any, others: tuple[Any, ...]) -> Expr[Any, Any]:
    if not isinstance(first, Expr) or not others:
        raise QueryError(
            f"{name} of {(first, *others)!r}, expected an expression and what it is compared with",
            hint=f"fn.{name}(Posts.visits, 10)",
        )
    operands, type_ = of_one_type(name, [operand(each, first) for each in (first, *others)])
    if isinstance(type_, types.Json | types.List):
        raise QueryError(f"{name} of {first!r}, which has no order", hint="give values of a type that has one")
    return Call(name, tuple(operands), type_, nullable=None)
