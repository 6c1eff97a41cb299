"""
Slots for what writes give back: `slot = changes.updates(Posts)….returning(Posts.id)`, and after the commit
`result[slot]`.

Columns or relations go in as they are selected; a slot comes out, which knows what is read of each row that is written
and what becomes of it.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, TypeAlias

from attrs import field, frozen
from typing_extensions import TypeVar

from mapper.columns import ColumnInfo
from mapper.errors import QueryError
from mapper.expressions import Attribute, Expr
from mapper.items import ExprItem, Item, ModelItem
from mapper.projection import Projection, decoder
from mapper.relation import RelationInfo, info
from mapper.selected import Selected
from mapper.types import Codecs, Decoder, Encoder, StorageType

__all__ = ["Returned", "returned", "returned_columns"]

T_co = TypeVar("T_co", covariant=True)

Values: TypeAlias = tuple[Any, ...]


@frozen(eq=False, repr=False)
class Returned(Generic[T_co]):
    """
    What some writes of a changeset give back; after the commit, `result[slot]` is a list of it.

    Attributes:
        described: The relation that is written.
        projection: What becomes of a row.
        number: How many slots the changeset gave before it.
        owner: What tells slots of one changeset from those of another.
        columns: What is read of a row, in the order in which `projection` takes it.
    """

    described: RelationInfo
    projection: Projection
    number: int
    owner: object
    columns: tuple[ColumnInfo, ...] = field(init=False)

    def __attrs_post_init__(self) -> None:
        found = [_column(self.described, each) for each in self.projection.outputs()[0]]
        object.__setattr__(self, "columns", tuple(found))

    @property
    def names(self) -> tuple[str, ...] | None:
        """The attribute names that stand for it in texts; None where it is the wrapper, () where none do."""
        items = self.projection.items
        if all([isinstance(each, ExprItem) for each in items]):
            return tuple([each.attribute for each in self.columns])
        whole = len(items) == 1 and isinstance(items[0], ModelItem) and items[0].wrapped and not items[0].shown
        return None if whole else ()

    def content(self, position: int) -> tuple[object, ...]:
        """Return what makes the slot of a row equal to one of another changeset."""
        return position, "returning", self.described.token, self.number, (self.projection.key,), ()

    def reader(self, given: Sequence[ColumnInfo], codecs: Codecs) -> Callable[[Sequence[Any]], Values]:
        """Return what makes the slot's values of a row that the store gives back with the columns `given`."""
        cells = [(given.index(each), codecs.decoder(each.type)) for each in self.columns]
        return lambda row: tuple([_decoded(row[place], decode) for place, decode in cells])

    def objects(self, rows: Sequence[Values]) -> list[T_co]:
        """Return what the user is given for rows of values."""
        return decoder(self.projection, (), PLAIN)(rows, ())

    def __repr__(self) -> str:
        shown = ", ".join(self.names or ()) or "rows"
        return f"<{shown} returned of {self.described.relation.__name__}>"


def _decoded(value: Any, decode: Decoder | None) -> Any:
    return value if decode is None or value is None else decode(value)


def returned(described: RelationInfo, items: Sequence[Any], number: int, owner: object) -> Returned[Any]:
    """
    Return the slot of what is selected of the rows that are written.

    Raises:
        QueryError: Something else than columns of the relation, the relation or its model is given, or nothing.
    """
    if not items:
        raise QueryError("returning of nothing", hint=f"name columns, or the relation: returning({_name(described)})")
    return Returned(described, Projection(tuple([_item(described, each) for each in items])), number, owner)


def returned_columns(described: RelationInfo, names: Sequence[str] | None) -> list[Any]:
    """
    Return what `returned` takes for the names of attributes; None is the wrapper.

    Raises:
        QueryError: There is no such attribute.
    """
    if names is None:
        return [described.relation]
    for each in names:
        if each not in described.attributes:
            raise QueryError(f"{_name(described)} has no column {each!r} to be returned")
    return [described.attributes[each] for each in names]


def _item(described: RelationInfo, value: Any) -> Item:
    if isinstance(value, Attribute):
        return ExprItem(value)
    if isinstance(value, Selected) and isinstance(value.item, ModelItem):
        return _whole(described, value.item)
    if isinstance(value, type) and hasattr(value, "__relation__"):
        return _whole(described, ModelItem(info(value).relation, wrapped=True))
    what = "an expression" if isinstance(value, Expr) else repr(value)
    raise QueryError(
        f"returning takes columns of {_name(described)}, or all of it, not {what}",
        hint=f"returning({_name(described)}.{described.columns[0].attribute}), or returning({_name(described)})",
    )


def _whole(described: RelationInfo, item: ModelItem) -> ModelItem:
    mapping = described.mapping
    if item.wrapped and mapping is not None and mapping.wrapper_plan is None:
        raise QueryError(
            f"{_name(described)} gives no wrapper: {mapping.wrapper_problem}",
            hint=f"name the model: returning(model_of({_name(described)}))",
        )
    return item


def _column(described: RelationInfo, expression: Expr[Any, Any]) -> ColumnInfo:
    if isinstance(expression, Attribute):
        known = described.attributes.get(expression.column.attribute)
        if known is not None and known.key == expression.key.removesuffix("?"):
            return known.column
    raise QueryError(
        f"{expression!r} is not a column of {_name(described)}, whose rows are written",
        hint="read others by a query, in the same transaction",
    )


def _name(described: RelationInfo) -> str:
    name: str = described.relation.__name__
    return name


@frozen
class _Plain:
    """Codecs of values that are decoded already."""

    name: str = "python"

    def encoder(self, type_: StorageType[Any], /) -> Encoder:
        raise NotImplementedError("values that came back are not stored")

    def decoder(self, type_: StorageType[Any], /) -> Decoder | None:
        return None


PLAIN: Final[Codecs] = _Plain()
