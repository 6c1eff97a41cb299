"""Rows whose wrapper is a class of the user's own, in writes along relationships."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import attrs
import pytest

from gateways.memory import MemoryGateway
from gateways.sqlite import SQLiteGateway
from mapper.columns import Column, column
from mapper.errors import StaleRow
from mapper.relation import Relation
from mapper.relationships import HasMany
from mapper.repository import Repository
from mapper.selecting import select

THEN, NOW = datetime(2020, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)


@attrs.frozen
class Song:
    title: str


@attrs.frozen
class Track:
    """A wrapper of one's own: a key of another name, a place, a version, and when it was changed."""

    model: Song
    key: int
    place: int
    version: int
    changed_at: datetime


class Albums(Relation[Song]):
    id: Column[int] = column(primary_key=True)
    title: Column[str]


class Tracks(Relation[Song, int, Track]):
    number: Column[int] = column(primary_key=True)
    album_id: Column[int] = column(references=lambda: Albums.id)
    title: Column[str]
    place: Column[int] = column(default=0)
    version: Column[int] = column(version=True)
    changed_at: Column[datetime] = column(default=THEN, on_update=lambda: NOW)


class AlbumTracks(HasMany[Albums, Tracks]):
    key = Tracks.album_id


class Music(Repository[Albums | Tracks]): ...


@pytest.fixture(params=[MemoryGateway, lambda: SQLiteGateway(":memory:")], ids=["memory", "sqlite"])
async def music(request: pytest.FixtureRequest) -> AsyncIterator[Music]:
    """With one album of two tracks."""
    async with request.param() as gateway:
        music = Music(gateway)
        await music.push_schema()
        changes = Music.change()
        changes.inserts(Albums).push(Song("album")).with_(AlbumTracks, [Song("a"), Song("b")])
        await changes.commit(music)
        yield music


async def tracks(music: Music) -> list[Track]:
    return await select(Tracks).order_by(Tracks.place, Tracks.number).all(music)


@pytest.mark.feature("B16", "T15")
async def test_columns_of_an_own_wrapper_are_replaced_where_they_differ(music: Music):
    first, second = await tracks(music)
    changes = Music.change()
    changes.replace(AlbumTracks, 1, [second, attrs.evolve(first, place=7), Song("c")])
    result = await changes.commit(music)
    assert (result.inserted, result.updated, result.deleted) == (1, 1, 0)
    found = await tracks(music)
    assert [(each.model.title, each.place) for each in found] == [("b", 0), ("c", 0), ("a", 7)]
    assert found[0] == second
    assert (found[2].version, found[2].changed_at) == (2, NOW)


@pytest.mark.feature("T12", "T15")
async def test_own_wrapper_tells_its_version_when_it_is_replaced(music: Music):
    first, second = await tracks(music)
    changes = Music.change()
    changes.update(Tracks, first, Tracks.place.to(1))
    await changes.commit(music)
    changes = Music.change()
    changes.replace(AlbumTracks, 1, [attrs.evolve(first, place=2), second])
    with pytest.raises(StaleRow):
        await changes.commit(music)


async def test_assignment_beside_an_own_wrapper_takes_precedence(music: Music):
    first, _ = await tracks(music)
    changes = Music.change()
    changes.replace(AlbumTracks, 1, [(attrs.evolve(first, place=2), Tracks.place.to(3))])
    result = await changes.commit(music)
    assert (result.updated, result.deleted) == (1, 1)
    assert [each.place for each in await tracks(music)] == [3]


@pytest.mark.feature("B13", "B14", "B16")
async def test_rows_in_own_wrappers_are_pushed_updated_and_given_back(music: Music):
    first, _ = await tracks(music)
    changes = Music.change()
    pushes = changes.inserts(Tracks)
    slot = pushes.returning(Tracks)
    made = Track(Song("d"), 40, 9, 1, THEN)
    ref = pushes.push(made, Tracks.album_id.to(1))
    changes.update(Tracks, first, Song("a2"))
    gone = changes.deletes(Tracks).where(Tracks.title == "b").returning(Tracks)
    result = await changes.commit(music)
    assert (result[ref], result[slot]) == (40, [made])
    assert [each.model for each in result[gone]] == [Song("b")]
    assert [each.model.title for each in await tracks(music)] == ["a2", "d"]
