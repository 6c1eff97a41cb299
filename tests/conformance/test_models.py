"""Models of every kind, mapped by the framework and by hand, go into a store and come out again."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import attrs
import msgspec
import pydantic
import pytest

from gateways.memory import MemoryGateway
from gateways.sqlite import SQLiteGateway
from mapper import Assignment, Column, Keyed, Relation, Repository, Row, column, select
from mapper.gateway import Gateway


@attrs.frozen
class AttrsFrozen:
    title: str
    visits: int = 0
    body: str | None = None


@attrs.define(kw_only=True)
class AttrsKeywordOnly:
    title: str
    visits: int = 0
    body: str | None = None


@dataclasses.dataclass
class Dataclass:
    title: str
    visits: int = 0
    body: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DataclassFrozen:
    title: str
    visits: int = 0
    body: str | None = None


class Struct(msgspec.Struct):
    title: str
    visits: int = 0
    body: str | None = None


class StructFrozen(msgspec.Struct, frozen=True, kw_only=True):
    title: str
    visits: int = 0
    body: str | None = None


class Tuple(NamedTuple):
    title: str
    visits: int = 0
    body: str | None = None


class Pydantic(pydantic.BaseModel):
    title: str
    visits: int = 0
    body: str | None = None


class ByHand:
    def __init__(self, title: str, visits: int = 0, body: str | None = None) -> None:
        self.title = title
        self.visits = visits
        self.body = body

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByHand) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]  # it is mutable


class Titled(NamedTuple):
    """A model whose one field is spread over columns by hand."""

    words: tuple[str, ...]


class ByHandMapped(Relation[Titled]):
    id: Column[int] = column(primary_key=True)
    title: Column[str]
    length: Column[int]

    @classmethod
    def hydrate(cls, row: Row) -> Titled:
        return Titled(tuple(row[cls.title].split()))

    @classmethod
    def dehydrate(cls, model: Titled) -> Iterable[Assignment[Any]]:
        title = " ".join(model.words)
        return [cls.title.to(title), cls.length.to(len(title))]


class First(Relation[AttrsFrozen]):
    id: Column[int] = column(primary_key=True)
    title: Column[str]
    visits: Column[int]
    body: Column[str | None]


class Second(Relation[AttrsFrozen]):
    id: Column[int] = column(primary_key=True)
    title: Column[str] = column(name="heading")
    visits: Column[int]
    body: Column[str | None]


class Library(Repository[First | Second | ByHandMapped]): ...


GATEWAYS = [pytest.param(MemoryGateway, id="memory"), pytest.param(lambda: SQLiteGateway(":memory:"), id="sqlite")]
KINDS = [
    AttrsFrozen,
    AttrsKeywordOnly,
    Dataclass,
    DataclassFrozen,
    Struct,
    StructFrozen,
    Tuple,
    Pydantic,
    ByHand,
]


@pytest.mark.feature("B3", "B4")
@pytest.mark.parametrize("factory", GATEWAYS)
@pytest.mark.parametrize("kind", KINDS)
async def test_model_comes_back_as_it_was_pushed(kind: Any, factory: Callable[[], Gateway]):
    class Things(Relation[kind]):
        id: Column[int] = column(primary_key=True)
        title: Column[str]
        visits: Column[int]
        body: Column[str | None]

    class Shelf(Repository[Things]): ...

    async with factory() as gateway:
        shelf = Shelf(gateway)
        await shelf.push_schema()
        changes = Shelf.change()
        models = [kind(title="a", visits=1, body="x"), kind(title="b")]
        refs = changes.inserts(Things).extend(models)
        result = await changes.commit(shelf)
        whole: Any = select(kind).from_(Things)
        assert await whole.order_by(Things.id).all(shelf) == models
        assert type(await whole.first(shelf)) is kind
        keyed: Any = await select(Things).find(result[refs[1]]).execute(shelf)
        assert keyed == Keyed(result[refs[1]], models[1])
        changes = Shelf.change()
        changes.update(Things, keyed, kind(title="c", visits=2))
        await changes.commit(shelf)
        assert await whole.find(keyed.key).execute(shelf) == kind(title="c", visits=2)


@pytest.mark.feature("B4")
@pytest.mark.parametrize("factory", GATEWAYS)
async def test_relation_maps_by_hand(factory: Callable[[], Gateway]):
    async with factory() as gateway:
        library = Library(gateway)
        await library.push_schema()
        changes = Library.change()
        ref = changes.inserts(ByHandMapped).push(Titled(("war", "and", "peace")))
        key = (await changes.commit(library))[ref]
        assert await select(Titled).from_(ByHandMapped).all(library) == [Titled(("war", "and", "peace"))]
        assert await select(ByHandMapped).find(key).execute(library) == Keyed(key, Titled(("war", "and", "peace")))
        assert await select(ByHandMapped.length).find(key).execute(library) == 13


@pytest.mark.feature("B5", "B6")
@pytest.mark.parametrize("factory", GATEWAYS)
async def test_two_relations_of_one_model_do_not_collide(factory: Callable[[], Gateway]):
    async with factory() as gateway:
        library = Library(gateway)
        await library.push_schema()
        changes = Library.change()
        changes.inserts(First).push(AttrsFrozen("first"))
        changes.inserts(Second).push(AttrsFrozen("second"))
        await changes.commit(library)
        assert await select(AttrsFrozen).from_(First).all(library) == [AttrsFrozen("first")]
        assert await select(AttrsFrozen).from_(Second).all(library) == [AttrsFrozen("second")]
