"""
What can be selected, as type checkers see it: columns and expressions, relations, and parts that are made of columns.

Anything with a `_selected` method goes into `select`; the type of the row's item and the relations that it reads come
out.
"""

from typing import Any, Generic, Protocol

from typing_extensions import TypeVar

__all__ = ["Part", "Selectable", "Selected"]

T_co = TypeVar("T_co", covariant=True)
R_co = TypeVar("R_co", covariant=True, default=Any)


class Selected(Generic[T_co, R_co]):
    """
    An item of a select that is no expression: a model, a wrapper, an embedded object, or one of these that may be
    missing.

    Attributes:
        item: What it is read as; see `mapper.projection`.
    """

    __slots__ = ("item",)

    def __init__(self, item: Any) -> None:
        self.item = item

    def _selected(self) -> "Selected[T_co, R_co]":
        return self

    def __repr__(self) -> str:
        return f"<{self.item}>"


class Part(Selected[T_co, R_co]):
    """
    An object that is embedded in a relation's model, as `Users.address` where the relation has `address:
    Embedded[Address]`.

    Attributes:
        relation: The relation, or an alias of one.
        field: The name of the model's field.
    """

    __slots__ = ("field", "relation")

    def __init__(self, relation: Any, field: str) -> None:
        super().__init__(self)
        self.relation = relation
        self.field = field

    def __repr__(self) -> str:
        return f"<{self.relation.__name__}.{self.field}>"


class Selectable(Protocol[T_co, R_co]):
    """For type checkers: satisfied by expressions, by the classes of relations, and by `Selected`."""

    def _selected(self) -> Selected[T_co, R_co]: ...
