"""What follows the rows of a changeset: statements of one's own, in order, in the same transaction, with refs resolved."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateways.memory import MemoryGateway
from gateways.postgres import notify
from gateways.sqlite import SQLiteGateway
from mapper import RawSql, select
from mapper.errors import NotStored, QueryError, StatementError, Unsupported
from mapper.followups import FollowUp, FollowUpStage, follow_up_stages
from mapper.operations import Call
from mapper.testing import RecordingGateway
from tests.postgres.relations import Book, Note, Notes


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[SQLiteGateway]:
    async with SQLiteGateway(tmp_path / "book.db") as gateway:
        await Book(gateway).push_schema()
        yield gateway


async def test_raw_statement_runs_behind_the_rows_with_the_key_of_one(sqlite: SQLiteGateway):
    changes = Book.change()
    changes.then(
        RawSql("UPDATE notes SET text = text || ? WHERE id = ?", ("!", changes.inserts(Notes).push(Note("hi"))))
    )
    changes.inserts(Notes).push(Note("ho"))
    await changes.commit(Book(sqlite))
    assert await select(Notes.text).order_by(Notes.id).all(Book(sqlite)) == ["hi!", "ho"]


async def test_statement_that_fails_undoes_the_rows(sqlite: SQLiteGateway):
    changes = Book.change()
    changes.inserts(Notes).push(Note("gone"))
    changes.then(RawSql("INSERT INTO nowhere VALUES (1)"))
    with pytest.raises(StatementError):
        await changes.commit(Book(sqlite))
    assert await select(Notes).count(Book(sqlite)) == 0


async def test_changeset_of_nothing_but_a_statement_is_committed(sqlite: SQLiteGateway):
    changes = Book.change()
    changes.then(RawSql("INSERT INTO notes (text) VALUES (?)", ("alone",)))
    assert (len(changes), bool(changes)) == (1, True)
    await changes.commit(Book(sqlite))
    assert await select(Notes.text).all(Book(sqlite)) == ["alone"]


async def test_statements_run_in_the_order_given(sqlite: SQLiteGateway):
    changes = Book.change()
    for text in ("c", "a", "b"):
        changes.then(RawSql("INSERT INTO notes (text) VALUES (?)", (text,)))
    await changes.commit(Book(sqlite))
    assert await select(Notes.text).order_by(Notes.id).all(Book(sqlite)) == ["c", "a", "b"]


async def test_statement_is_refused_by_a_gateway_that_lacks_it_before_anything_is_sent(sqlite: SQLiteGateway):
    recording = RecordingGateway(sqlite)
    changes = Book.change()
    changes.inserts(Notes).push(Note("unsent"))
    changes.then(notify("jobs"))
    with pytest.raises(Unsupported, match="notify is not supported by the sqlite gateway"):
        await changes.commit(Book(recording))
    assert recording.operations == []


async def test_raw_statement_is_refused_by_a_gateway_without_sql():
    changes = Book.change()
    changes.then(RawSql("SELECT 1"))
    with pytest.raises(Unsupported, match="'sql'"):
        await changes.commit(Book(MemoryGateway()))


async def test_numbers_of_placeholders_and_values_are_compared_before_anything_is_sent(sqlite: SQLiteGateway):
    recording = RecordingGateway(sqlite)
    changes = Book.change()
    changes.inserts(Notes).push(Note("unsent"))
    changes.then(RawSql("DELETE FROM notes WHERE id = ?", (1, 2)))
    with pytest.raises(QueryError, match="1 placeholders and 2 parameters"):
        await changes.commit(Book(recording))
    assert recording.operations == []


async def test_statement_that_says_it_writes_to_another_relation_is_refused(sqlite: SQLiteGateway):
    changes = Book.change()
    changes.then(RawSql("DELETE FROM others", writes=frozenset({Others})))
    with pytest.raises(NotStored, match="Others"):
        await changes.commit(Book(sqlite))


class Others(Notes, name="others"): ...


@pytest.mark.parametrize("wrong", ["DELETE FROM notes", None, select(Notes)])
def test_something_else_is_refused(wrong: object):
    with pytest.raises(QueryError, match="cannot follow"):
        Book.change().then(wrong)  # type: ignore[arg-type]  # wrong on purpose


def test_ref_of_another_changeset_is_refused():
    ref = Book.change().inserts(Notes).push(Note("other"))
    with pytest.raises(QueryError, match="another changeset"):
        Book.change().then(notify("jobs", ref))


def test_changesets_with_equal_statements_are_equal():
    def made(channel: str) -> object:
        changes = Book.change()
        changes.then(notify(channel, changes.inserts(Notes).push(Note("a"))), RawSql("SELECT ?", (1,)))
        return changes

    assert made("jobs") == made("jobs")
    assert made("jobs") != made("news")
    assert repr(made("jobs")) == "<Changeset: 1 insert of Notes, 2 further statements>"


def test_notifications_in_a_row_are_one_operation():
    given: list[FollowUp] = [
        notify("a", "1"),
        notify("b", "2"),
        RawSql("SELECT 1"),
        RawSql("SELECT 2"),
        notify("a", "3"),
    ]
    operations = [each.operation for each in follow_up_stages(given) if isinstance(each, FollowUpStage)]
    joined = Call("notify", (("a", "1"), ("b", "2")), joins=True)
    assert operations == [joined, RawSql("SELECT 1"), RawSql("SELECT 2"), notify("a", "3")]
