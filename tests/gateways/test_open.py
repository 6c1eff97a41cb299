"""Gateways by URL: which one, with which parameters, and what is said of a wrong URL."""

from pathlib import Path

import attrs
import pytest

import gateways
from gateways.memory import MemoryGateway
from gateways.sqlite import SQLiteGateway
from mapper import Column, QueryError, Relation, Repository, column, select


@attrs.frozen
class Note:
    text: str


class Notes(Relation[Note]):
    id: Column[int] = column(primary_key=True)
    text: Column[str]


class Book(Repository[Notes]): ...


@pytest.mark.feature("T28")
@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("memory://", MemoryGateway),
        ("sqlite://", SQLiteGateway),
        ("sqlite:///:memory:", SQLiteGateway),
        ("sqlite:///{path}", SQLiteGateway),
        ("sqlite:///{path}?busy_timeout=2&max_connections=3&read_only=false&inline_reads=no", SQLiteGateway),
    ],
)
async def test_gateway_opened_by_url_works(url: str, kind: type, tmp_path: Path):
    async with gateways.open(url.format(path=tmp_path / "book.db")) as gateway:
        assert isinstance(gateway, kind)
        book = Book(gateway)
        await book.push_schema()
        changes = Book.change()
        ref = changes.inserts(Notes).push(Note("hello"))
        key = (await changes.commit(book))[ref]
        assert await select(Note).from_(Notes).find(key).execute(book) == Note("hello")


@pytest.mark.feature("T28")
async def test_parameters_of_the_url_are_those_of_the_gateway(tmp_path: Path):
    async with gateways.open(f"sqlite:///{tmp_path / 'book.db'}?max_connections=3") as gateway:
        assert gateway.statistics().limit == 3


@pytest.mark.feature("T28")
@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("sqlite:///x.db?bsy_timeout=3", "no parameter 'bsy_timeout'.*busy_timeout.*max_connections"),
        ("sqlite:///x.db?busy_timeout=soon", "'busy_timeout'.*'soon'.*number"),
        ("sqlite:///x.db?max_connections=0", "max_connections"),
        ("mongodb://localhost/x", "scheme 'mongodb'.*sqlite"),
        ("blog.db", "scheme.*sqlite:///"),
        ("", "scheme"),
    ],
)
def test_wrong_url_is_refused_with_what_is_known(url: str, text: str):
    with pytest.raises(QueryError, match=f"(?s){text}"):
        gateways.open(url)


@pytest.mark.feature("T28")
@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada:s3cret@localhost/blog?wrong=1",
        "mongodb://ada:s3cret@localhost/blog",
        "sqlite://ada:s3cret@/x.db?wrong=1",
        "memory://ada:s3cret@host?wrong=1",
    ],
)
def test_password_is_never_in_the_error(url: str):
    with pytest.raises(QueryError) as caught:
        gateways.open(url)
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in repr(caught.value)
