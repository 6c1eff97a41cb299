"""
Conditions as values: combined from any number of others, left out, and over several columns at once.

Conditions and expressions go in; one condition, or one value of several parts, comes out.
"""

from collections.abc import Iterable
from typing import Any, Final, Never, overload

from typing_extensions import TypeVar

from mapper.clauses import condition
from mapper.errors import QueryError
from mapper.expressions import BOOLEAN, Call, Expr, Omitted, RowValue
from mapper.terms import literal

__all__ = ["all_of", "any_of", "omitted", "tuple_"]

R = TypeVar("R")
R1 = TypeVar("R1", default=Never)
R2 = TypeVar("R2", default=Never)
R3 = TypeVar("R3", default=Never)
R4 = TypeVar("R4", default=Never)
T1 = TypeVar("T1", default=Any)
T2 = TypeVar("T2", default=Any)
T3 = TypeVar("T3", default=Any)
T4 = TypeVar("T4", default=Any)

omitted: Final[Expr[bool, Never]] = Omitted()
"""
The condition that is left out: `where(Posts.title == title if title is not None else omitted)`.

`where`, `having`, `all_of`, `any_of`, `&` and `|` go on without it. Updates and deletes refuse it, since they would
touch more than was meant.
"""


def all_of(conditions: Iterable[Expr[bool, R] | Expr[bool | None, R]], /) -> Expr[bool, R]:
    """Return the condition that all of these hold. Of none it is true; omitted ones are as if they were not there."""
    return _junction("and", conditions, of_none=True)


def any_of(conditions: Iterable[Expr[bool, R] | Expr[bool | None, R]], /) -> Expr[bool, R]:
    """Return the condition that any of these holds. Of none it is false; omitted ones are as if they were not there."""
    return _junction("or", conditions, of_none=False)


def _junction(name: str, conditions: Any, *, of_none: bool) -> Expr[bool, Any]:
    if isinstance(conditions, Expr | str) or not isinstance(conditions, Iterable):
        raise QueryError(
            f"{'all' if of_none else 'any'}_of takes conditions in a list, not {conditions!r}",
            hint="put them into a list",
        )
    kept = [each for each in map(condition, conditions) if not isinstance(each, Omitted)]
    if not kept:
        return literal(of_none)
    return kept[0] if len(kept) == 1 else Call(name, tuple(kept), BOOLEAN, nullable=None)


@overload
def tuple_(a: Expr[T1, R1], b: Expr[T2, R2], /) -> RowValue[tuple[T1, T2], R1 | R2]: ...
@overload
def tuple_(a: Expr[T1, R1], b: Expr[T2, R2], c: Expr[T3, R3], /) -> RowValue[tuple[T1, T2, T3], R1 | R2 | R3]: ...
@overload
def tuple_(
    a: Expr[T1, R1], b: Expr[T2, R2], c: Expr[T3, R3], d: Expr[T4, R4], /
) -> RowValue[tuple[T1, T2, T3, T4], R1 | R2 | R3 | R4]: ...
@overload
def tuple_(*parts: Expr[Any, R]) -> RowValue[Any, R]: ...
def tuple_(*parts: Expr[Any, Any]) -> RowValue[Any, Any]:
    """
    Return several expressions as one value.

    `tuple_(Posts.author_id, Posts.slug) == (1, "x")` compares them all, `.in_([(1, "x"), (2, "y")])` looks for them in
    a list, and `<` and its like compare lexicographically, as Python compares tuples. None among the values is NULL, as
    in `==` and `in_` of a single column. Selected, it is a tuple within the row.

    Raises:
        QueryError: There are fewer than two parts, or one is no expression.
    """
    if len(parts) < 2 or not all(isinstance(each, Expr) and not isinstance(each, RowValue) for each in parts):
        raise QueryError(
            f"tuple_ of {parts!r}, expected two columns or more", hint="tuple_(Posts.author_id, Posts.slug)"
        )
    return RowValue(parts)
