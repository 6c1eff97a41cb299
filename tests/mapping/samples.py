"""One model, written in each way that a model can be, and the columns that keep it."""

import dataclasses
from typing import Any, NamedTuple

import attrs
import msgspec
import pydantic
import pytest

from mapper.errors import DeclarationError
from mapper.mapping import MappedColumn, RelationMapping, build_mapping


@attrs.frozen
class Frozen:
    title: str
    body: str | None = None
    visits: int = 0


@attrs.define
class Defined:
    title: str
    body: str | None = None
    visits: int = 0


@attrs.frozen(kw_only=True)
class FrozenByName:
    title: str
    body: str | None = None
    visits: int = 0


@attrs.frozen
class Private:
    _title: str
    body: str | None = None
    _visits: int = attrs.field(default=0, alias="count")


@dataclasses.dataclass
class Data:
    title: str
    body: str | None = None
    visits: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class FrozenData:
    title: str
    body: str | None = None
    visits: int = 0


@dataclasses.dataclass(kw_only=True)
class DataByName:
    title: str
    body: str | None = None
    visits: int = 0


class Struct(msgspec.Struct):
    title: str
    body: str | None = None
    visits: int = 0


class FrozenStruct(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    title: str
    body: str | None = None
    visits: int = 0


class Named(NamedTuple):
    title: str
    body: str | None = None
    visits: int = 0


class Pydantic(pydantic.BaseModel):
    title: str
    body: str | None = None
    visits: int = 0


class Aliased(pydantic.BaseModel):
    title: str = pydantic.Field(alias="postTitle")
    body: str | None = pydantic.Field(default=None, validation_alias="post-body")
    visits: int = 0


class ByHand:
    def __init__(self, title: str, body: str | None = None, *, visits: int = 0) -> None:
        self.title = title
        self.body = body
        self.visits = visits

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByHand) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(self.title)


POSITIONAL = (Frozen, Defined, Data, FrozenData, Struct, Named)
MODELS = (*POSITIONAL, FrozenByName, DataByName, FrozenStruct, Pydantic, ByHand)

COLUMNS = (
    MappedColumn(name="id", annotation=int, primary_key=True, index=0),
    MappedColumn(name="title", annotation=str, index=1),
    MappedColumn(name="body", annotation=str | None, nullable=True, index=2),
    MappedColumn(name="visits", annotation=int, index=3),
)


def declared(**annotations: object) -> list[MappedColumn]:
    """Columns in order, each nullable where `None` is in its annotation; `id` is the key and `version` the version."""
    return [
        MappedColumn(
            name=name,
            annotation=annotation,
            nullable=type(None) in getattr(annotation, "__args__", ()),
            primary_key=name == "id",
            version=name == "version",
            index=index,
        )
        for index, (name, annotation) in enumerate(annotations.items())
    ]


def mapped(
    model: Any, columns: Any = COLUMNS, wrapper: Any = None, relation: str = "Posts", **options: Any
) -> RelationMapping:
    return build_mapping(relation, model, wrapper, columns, **options)


def problems(model: Any, columns: Any, wrapper: Any = None, **options: Any) -> list[str]:
    with pytest.raises(DeclarationError) as caught:
        mapped(model, columns, wrapper, **options)
    lines = caught.value.message.splitlines()
    return [each.strip() for each in (lines[1:] if len(lines) > 1 else lines)]


@attrs.frozen
class Money:
    amount: int
    currency: str = "EUR"


@dataclasses.dataclass(frozen=True)
class Span:
    first: Money
    last: Money | None


@attrs.frozen
class Offer:
    name: str
    price: Money
    old: Money | None


OFFER = declared(id=int, name=str, price_amount=int, price_currency=str, old_amount=int | None, old_currency=str | None)
