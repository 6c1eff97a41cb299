"""Writes of many rows: all or nothing, keys in the order given, counts that are right."""

import datetime as dt
import decimal
import uuid
from typing import Any

import pytest

from gateways.sqlite import SQLiteGateway
from mapper import excluded
from mapper.errors import MissingRow, StaleRow, UniqueViolation
from mapper.expressions import Slot
from mapper.operations import Outcome, RawSql, Result, Transaction
from mapper.relation import info
from mapper.statements import Conflict, DeleteRows, InsertRows, UpdateRows
from tests.sqlite.conftest import COMMIT, START, Make, at_rest, program
from tests.sqlite.relations import Posts, Users, create, names, rows

SIZES = [0, 1, 2, 7, 8, 50, 2000]


@pytest.fixture
async def blog(make: Make) -> SQLiteGateway:
    gateway = make()
    await create(gateway)
    return gateway


def users(count: int, returning: str = "", begin: int = 0) -> InsertRows:
    return rows(Users, "name", [(f"user {each}",) for each in range(begin, begin + count)], returning)


async def user_names(gateway: SQLiteGateway) -> list[Any]:
    return await names(gateway, 'SELECT "full name" FROM users ORDER BY id')


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("returning", ["", "id", "id name"])
async def test_insert_gives_back_a_row_for_each_in_their_order(blog: SQLiteGateway, size: int, returning: str):
    await blog.execute(blog.compile(users(3, begin=10_000)))
    result = await blog.execute(blog.compile(users(size, returning)))
    expected = {"": (), "id": ("id",), "id name": ("id", "full name")}[returning]
    columns = ", ".join(f'"{each}"' for each in expected)
    assert result.count == size
    if expected:
        stored = (await blog.execute(RawSql(f"SELECT {columns} FROM users WHERE id > 3 ORDER BY id"))).rows
        assert list(result.rows) == list(stored)


@pytest.mark.parametrize("returning", ["", "id"])
@pytest.mark.parametrize("held", [False, True])
async def test_insert_of_many_is_done_wholly_or_not_at_all(blog: SQLiteGateway, returning: str, held: bool):
    twice = rows(Users, "name", [(f"{each % 15}",) for each in range(20)], returning)
    if not held:
        with pytest.raises(UniqueViolation):
            await blog.execute(blog.compile(twice))
    else:
        async with blog.connection() as connection:
            await connection.execute(START)
            await connection.execute(blog.compile(users(1)))
            with pytest.raises(UniqueViolation):
                await connection.execute(blog.compile(twice))
            await connection.execute(COMMIT)
    assert await user_names(blog) == (["user 0"] if held else [])


@pytest.mark.parametrize("size", [1, 20])
async def test_keys_are_never_used_again(blog: SQLiteGateway, size: int):
    first = await blog.execute(blog.compile(users(size, "id")))
    await blog.execute(RawSql("DELETE FROM users"))
    second = await blog.execute(blog.compile(users(size, "id")))
    third = await blog.execute(blog.compile(users(1, "id", begin=5000)))
    keys = [row[0] for each in (first, second, third) for row in each.rows]
    assert keys == list(range(1, 2 * size + 2))


async def test_keys_of_rows_that_a_trigger_adds_are_not_taken(blog: SQLiteGateway):
    await blog.execute(
        RawSql(
            "CREATE TRIGGER t AFTER INSERT ON users WHEN new.\"full name\" NOT LIKE '%shadow'"
            ' BEGIN INSERT INTO users ("full name") VALUES (new."full name" || \' shadow\'); END'
        )
    )
    result = await blog.execute(blog.compile(users(20, "id")))
    stored = (
        await blog.execute(RawSql("SELECT id FROM users WHERE \"full name\" NOT LIKE '%shadow' ORDER BY id"))
    ).rows
    assert list(result.rows) == list(stored)


async def test_keys_of_a_table_without_a_sequence_are_given_too(make: Make):
    gateway = make()
    await gateway.execute(RawSql('CREATE TABLE users (id INTEGER PRIMARY KEY, "full name" TEXT)'))
    await gateway.execute(RawSql("INSERT INTO users VALUES (41, 'x')"))
    result = await gateway.execute(gateway.compile(users(20, "id")))
    assert [row[0] for row in result.rows] == list(range(42, 62))


@pytest.mark.parametrize("sequence", ["", " AUTOINCREMENT"])
@pytest.mark.parametrize("largest", [-5, -1, 0, 2**31])
async def test_keys_behind_any_key_that_is_there_belong_to_their_rows(make: Make, sequence: str, largest: int):
    gateway = make()
    await gateway.execute(RawSql(f'CREATE TABLE users (id INTEGER PRIMARY KEY{sequence}, "full name" TEXT)'))
    await gateway.execute(RawSql(f"INSERT INTO users VALUES ({largest}, 'x')"))
    result = await gateway.execute(gateway.compile(users(20, "id")))
    stored = (await gateway.execute(RawSql('SELECT id, "full name" FROM users WHERE "full name" <> \'x\''))).rows
    assert {f"user {place}": key for place, (key,) in enumerate(result.rows)} == {name: key for key, name in stored}


# Upserts


def upsert(*values: tuple[Any, ...], update: bool = True, columns: str = "id title slug", returning: str = "") -> Any:
    described = info(Posts)
    statement = rows(Posts, columns, values, returning)
    title = described.column("title")
    assignments = ((title, excluded(Posts.title)),) if update else ()
    conflict = Conflict(described.primary_key, assignments, key="title" if update else "")
    return InsertRows(Posts, statement.columns, values, statement.returning, conflict)


async def test_upsert_tells_inserted_from_updated_from_ignored(blog: SQLiteGateway):
    await blog.execute(blog.compile(rows(Posts, "id title slug", [(1, "one", "1")])))
    updated = await blog.execute(
        blog.compile(upsert((1, "uno", "1"), (2, "dos", "2"), (2, "due", "2"), returning="id title"))
    )
    told: list[Outcome] = ["updated", "inserted", "updated"]
    assert updated == Result([(1, "uno"), (2, "dos"), (2, "due")], 3, inserted=1, updated=2, outcomes=told)
    ignored = await blog.execute(
        blog.compile(upsert((1, "eins", "1"), (3, "drei", "3"), update=False, returning="id title"))
    )
    assert ignored == Result([(None, None), (3, "drei")], 1, inserted=1, ignored=1, outcomes=["ignored", "inserted"])
    assert await names(blog, "SELECT title FROM posts ORDER BY id") == ["uno", "due", "drei"]


async def test_upsert_of_one_row_without_returning_counts(blog: SQLiteGateway):
    first = await blog.execute(blog.compile(upsert((1, "one", "1"))))
    second = await blog.execute(blog.compile(upsert((1, "uno", "1"))))
    assert [first, second] == [
        Result((), 1, inserted=1, outcomes=["inserted"]),
        Result((), 1, updated=1, outcomes=["updated"]),
    ]


async def test_upsert_that_fails_changes_nothing(blog: SQLiteGateway):
    await blog.execute(blog.compile(rows(Posts, "id title slug", [(1, "one", "1"), (2, "two", "2")])))
    with pytest.raises(UniqueViolation):
        await blog.execute(blog.compile(upsert((3, "three", "3"), (2, "one", "1"), (4, "one", "1"))))
    assert await names(blog, "SELECT title FROM posts ORDER BY id") == ["one", "two"]


# Single rows by key


@pytest.fixture
async def posts(blog: SQLiteGateway) -> SQLiteGateway:
    values = [(each, f"title {each}", f"{each}") for each in range(1, 11)]
    await blog.execute(blog.compile(rows(Posts, "id title slug", values)))
    return blog


def retitle(*versions: tuple[int, int]) -> UpdateRows:
    described = info(Posts)
    title = described.column("title")
    values = [(f"new {key}", key, version) for key, version in versions]
    return UpdateRows(Posts, ((title, Slot(0, title.type)),), values, "title", described.version)


def removal(*versions: tuple[int, int]) -> DeleteRows:
    return DeleteRows(Posts, list(versions), info(Posts).version)


@pytest.mark.parametrize("make_statement", [retitle, removal])
@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize(
    ("versions", "kind", "key"),
    [
        ([(1, 1), (2, 1), (3, 1)], None, None),
        ([(1, 1)], None, None),
        ([(1, 2)], StaleRow, 1),
        ([(99, 1)], MissingRow, 99),
        ([(1, 1), (2, 7), (3, 1)], StaleRow, 2),
        ([(1, 1), (2, 1), (99, 1)], MissingRow, 99),
        ([(1, 1), (1, 1)], (StaleRow, MissingRow), 1),
    ],
)
async def test_each_row_must_be_there_as_it_was(
    posts: SQLiteGateway, make_statement: Any, held: bool, versions: list, kind: Any, key: Any
):
    before = await names(posts, "SELECT title FROM posts ORDER BY id")
    operation = posts.compile(make_statement(*versions))
    work = posts.run(program(operation)) if held else posts.execute(operation)
    if kind is None:
        await work
        assert await names(posts, "SELECT title FROM posts ORDER BY id") != before
        return
    with pytest.raises(kind) as caught:
        await work
    assert (caught.value.relation, caught.value.row_key) == (Posts, key)
    assert await names(posts, "SELECT title FROM posts ORDER BY id") == before
    assert at_rest(posts)


async def test_failed_write_of_rows_leaves_the_transaction_around_it(posts: SQLiteGateway):
    async with posts.connection() as connection:
        await connection.execute(START)
        await connection.execute(posts.compile(removal((5, 1))))
        with pytest.raises(StaleRow):
            await connection.execute(posts.compile(retitle((1, 1), (2, 9))))
        await connection.execute(COMMIT)
    assert await names(posts, "SELECT count(*) FROM posts WHERE title LIKE 'title%'") == [9]


# Transactions


async def test_savepoints_nest_under_any_name(posts: SQLiteGateway):
    async with posts.connection() as connection:
        await connection.execute(START)
        for name in ('a "b" c', "x; DROP TABLE posts"):
            await connection.execute(Transaction("savepoint", name=name))
            await connection.execute(RawSql("DELETE FROM posts WHERE id = 1"))
        await connection.execute(Transaction("release", name="x; DROP TABLE posts"))
        await connection.execute(Transaction("rollback_to", name='a "b" c'))
        await connection.execute(Transaction("release", name='a "b" c'))
        await connection.execute(COMMIT)
    assert await names(posts, "SELECT count(*) FROM posts") == [10]


async def test_programs_run_within_the_transaction_of_their_connection(posts: SQLiteGateway):
    def inner():
        yield Transaction("savepoint", name="s")
        yield RawSql("DELETE FROM posts")
        yield Transaction("rollback_to", name="s")
        result = yield RawSql("DELETE FROM posts WHERE id = 1")
        return result.count

    async with posts.connection() as connection:
        await connection.execute(START)
        assert await connection.run(inner()) == 1
        await connection.execute(Transaction("rollback"))
    assert await names(posts, "SELECT count(*) FROM posts") == [10]


async def test_program_without_operations_needs_no_connection(make: Make):
    def nothing():
        return 42
        yield

    gateway = make()
    assert await gateway.run(nothing()) == 42
    assert gateway.statistics().size == 0


async def test_program_that_ends_in_a_transaction_is_rolled_back(posts: SQLiteGateway):
    def work():
        yield START
        result = yield RawSql("DELETE FROM posts")
        return result.count

    assert await posts.run(work()) == 10
    assert await names(posts, "SELECT count(*) FROM posts") == [10]


async def test_program_may_go_on_after_an_error(posts: SQLiteGateway):
    def work():
        try:
            yield RawSql("SELECT nothing")
        except Exception as error:
            return (type(error).__name__, (yield RawSql("SELECT 1")).rows)

    assert await posts.run(work()) == ("StatementError", [(1,)])


# Parameters of raw statements


async def test_raw_parameters_are_stored_as_their_types_are(posts: SQLiteGateway):
    values = {
        "text": (True, 1.5, "x", b"x", None, decimal.Decimal("1.50"), uuid.UUID(int=1)),
        "moments": (dt.datetime(2020, 1, 2, 3), dt.datetime(2020, 1, 2, tzinfo=dt.UTC), dt.date(2020, 1, 2)),
    }
    for each in values.values():
        places = ", ".join("?" for _ in each)
        (row,) = (await posts.execute(RawSql(f"SELECT {places}", each))).rows
        assert (
            row
            == {
                "text": (1, 1.5, "x", b"x", None, "1.50", "00000000-0000-0000-0000-000000000001"),
                "moments": ("2020-01-02 03:00:00", "2020-01-02 00:00:00+00:00", "2020-01-02"),
            }["text" if each is values["text"] else "moments"]
        )


async def test_question_marks_in_quotes_are_characters(posts: SQLiteGateway):
    result = await posts.execute(RawSql("SELECT '?', \"title\", '??' FROM posts WHERE id = ? -- ?", (1,)))
    assert result.rows == [("?", "title 1", "??")]
