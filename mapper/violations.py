"""
Violations as messages for forms: `constraint_errors(error)` is `{"slug": "is taken"}`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from mapper.errors import (
    CheckViolation,
    ConstraintViolation,
    ExclusionViolation,
    ForeignKeyViolation,
    NotNullViolation,
    QueryError,
    UniqueViolation,
)
from mapper.expressions import Attribute

__all__ = ["constraint_errors"]

Constrained: TypeAlias = str | Attribute[Any, Any] | Sequence[Attribute[Any, Any]]

MESSAGES: Final[Mapping[type[ConstraintViolation], str]] = {
    UniqueViolation: "is taken",
    ForeignKeyViolation: "does not exist",
    NotNullViolation: "is required",
    CheckViolation: "is not allowed",
    ExclusionViolation: "overlaps another",
}


def constraint_errors(error: ConstraintViolation, messages: Mapping[Any, str] | None = None) -> dict[str, str]:
    """
    Return a message for each field of a form that a violation is about: `{"slug": "is taken"}`.

    Args:
        error: As a commit raised it.
        messages: Other messages than the usual ones, by declared constraint: by its column, `{Posts.slug: "is in use"}`,
            by a tuple of its columns, or by its name in the store. Where several fit, the name comes first.

    Returns:
        Messages by the names of columns; by "" where the store does not say which columns it is about.

    Raises:
        QueryError: A key of `messages` is none of these.
    """
    message = _given(error, messages or {})
    if message is None:
        message = next((text for kind, text in MESSAGES.items() if isinstance(error, kind)), "is refused")
    return dict.fromkeys(error.columns or ("",), message)


def _given(error: ConstraintViolation, messages: Mapping[Any, str]) -> str | None:
    by_columns: str | None = None
    for key, message in messages.items():
        if isinstance(key, str):
            if key == error.constraint:
                return message
            continue
        columns = (key,) if isinstance(key, Attribute) else key
        if not isinstance(columns, tuple) or not all([isinstance(each, Attribute) for each in columns]):
            raise QueryError(f"{key!r} is no constraint", hint="give a column, a tuple of columns, or a name")
        same = {each.column.attribute for each in columns} == set(error.columns)
        if same and all([error.relation in (None, each.relation) for each in columns]):
            by_columns = message
    return by_columns
