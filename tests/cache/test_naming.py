"""Names that users give: of a result, of a version of the application, of the logger that is told."""

import logging
from collections.abc import AsyncIterator

import pytest
from attrs import frozen

from cache_drivers.memory import MemoryDriver
from gateways.memory import MemoryGateway
from mapper import Cache, CacheConfigError, Column, Relation, Repository, column, select
from mapper.cache import logged


@frozen
class Note:
    text: str


class Notes(Relation[Note], name="naming_notes"):
    id: Column[int] = column(primary_key=True)
    text: Column[str]


class Book(Repository[Notes]): ...


@pytest.fixture
async def gateway() -> AsyncIterator[MemoryGateway]:
    async with MemoryGateway() as gateway:
        book = Book(gateway)
        await book.push_schema()
        changes = Book.change()
        changes.inserts(Notes).extend([Note("a"), Note("b")])
        await changes.commit(book)
        yield gateway


@pytest.mark.feature("V7")
async def test_queries_of_one_key_share_a_result_until_it_changes(gateway: MemoryGateway):
    cache = Cache(MemoryDriver(), namespace="names")
    book = Book(cache.wrap(gateway))
    texts = select(Notes.text).order_by(Notes.id)
    assert await texts.cached(key="front").all(book) == ["a", "b"]
    assert await texts.where(Notes.text != "z").cached(key="front").all(book) == ["a", "b"]
    assert await texts.where(Notes.text != "z").cached(key="other").all(book) == ["a", "b"]
    assert (cache.stats().hits, cache.stats().misses) == (1, 2)
    changes = Book.change()
    changes.updates(Notes).where(Notes.id == 1).set(Notes.text.to("c"))
    await changes.commit(book)
    assert await texts.cached(key="front").all(book) == ["c", "b"]


@pytest.mark.feature("V7")
async def test_key_of_one_name_and_other_columns_is_another_result(gateway: MemoryGateway):
    cache = Cache(MemoryDriver(), namespace="names")
    book = Book(cache.wrap(gateway))
    assert await select(Notes.text).order_by(Notes.id).cached(key="front").all(book) == ["a", "b"]
    assert await select(Notes.id).order_by(Notes.id).cached(key="front").all(book) == [1, 2]


@pytest.mark.parametrize("key", ["", "x" * 101, 7])
def test_key_that_is_no_name_is_refused(key: str):
    with pytest.raises(CacheConfigError, match="is no name"):
        select(Notes.text).cached(key=key)


@pytest.mark.feature("V7")
async def test_other_version_reads_nothing_of_the_one_before(gateway: MemoryGateway):
    driver = MemoryDriver()
    caches = [Cache(driver, namespace="names", version=each) for each in (1, 2, 1)]
    for cache in caches:
        assert await select(Notes.text).order_by(Notes.id).all(Book(cache.wrap(gateway))) == ["a", "b"]
    assert [each.stats().hits for each in caches] == [0, 0, 1]


@pytest.mark.feature("M6", "C7")
async def test_events_are_written_to_a_logger_of_ones_own(gateway: MemoryGateway, caplog: pytest.LogCaptureFixture):
    cache = Cache(MemoryDriver(), namespace="names")
    logger = logging.getLogger("shop.cache")
    stop = cache.subscribe(logged(logger, logging.INFO))
    book = Book(cache.wrap(gateway))
    with caplog.at_level(logging.INFO, "shop.cache"):
        for _ in range(2):
            await select(Notes.text).where(Notes.text == "secret").all(book)
        stop()
        await select(Notes.text).all(book)
    told = [each.getMessage().split()[0] for each in caplog.records if each.name == "shop.cache"]
    assert told == ["miss", "fill", "hit"]
    assert "secret" not in caplog.text
