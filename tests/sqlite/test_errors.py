"""Errors: every one of the driver's comes out as one of ours, with what is known about it."""

import sqlite3
from typing import Any

import pytest

from gateways.sqlite import SQLiteGateway
from gateways.sqlite.errors import translate
from mapper import errors
from mapper.operations import DeleteSql, GetByKey, Operation, RawSql, Transaction, UpdateSql
from tests.sqlite.conftest import START, at_rest, plain, program, query
from tests.sqlite.relations import Posts, Users, create, rows

pytestmark = pytest.mark.feature("T29")

DRIVER_CLASSES = [
    each
    for each in vars(sqlite3).values()
    if isinstance(each, type) and issubclass(each, (sqlite3.Error, sqlite3.Warning))
]

PRIMARY = """
ERROR INTERNAL PERM ABORT BUSY LOCKED NOMEM READONLY INTERRUPT IOERR CORRUPT NOTFOUND FULL CANTOPEN PROTOCOL EMPTY
SCHEMA TOOBIG CONSTRAINT MISMATCH MISUSE NOLFS AUTH FORMAT RANGE NOTADB
"""

CODES = {
    name: code
    for name, code in vars(sqlite3).items()
    if name.startswith("SQLITE_") and isinstance(code, int) and name.split("_")[1] in PRIMARY.split()
}

KINDS = {
    "SQLITE_BUSY": errors.LockTimeout,
    "SQLITE_BUSY_RECOVERY": errors.LockTimeout,
    "SQLITE_BUSY_SNAPSHOT": errors.SerializationFailure,
    "SQLITE_LOCKED": errors.LockTimeout,
    "SQLITE_PROTOCOL": errors.LockTimeout,
    "SQLITE_FULL": errors.StoreFull,
    "SQLITE_CORRUPT": errors.StoreCorrupt,
    "SQLITE_NOTADB": errors.StoreCorrupt,
    "SQLITE_IOERR": errors.ConnectionLost,
    "SQLITE_IOERR_SHORT_READ": errors.StoreCorrupt,
    "SQLITE_READONLY": errors.ReadOnly,
    "SQLITE_READONLY_DBMOVED": errors.ReadOnly,
    "SQLITE_CANTOPEN": errors.CannotConnect,
    "SQLITE_PERM": errors.CannotConnect,
    "SQLITE_TOOBIG": errors.ValueNotStorable,
    "SQLITE_ABORT_ROLLBACK": errors.RolledBack,
    "SQLITE_CONSTRAINT": errors.ConstraintViolation,
    "SQLITE_CONSTRAINT_UNIQUE": errors.UniqueViolation,
    "SQLITE_CONSTRAINT_PRIMARYKEY": errors.UniqueViolation,
    "SQLITE_CONSTRAINT_ROWID": errors.UniqueViolation,
    "SQLITE_CONSTRAINT_NOTNULL": errors.NotNullViolation,
    "SQLITE_CONSTRAINT_CHECK": errors.CheckViolation,
    "SQLITE_CONSTRAINT_FOREIGNKEY": errors.ForeignKeyViolation,
    "SQLITE_CONSTRAINT_TRIGGER": errors.ConstraintViolation,
    "SQLITE_ERROR": errors.StatementError,
    "SQLITE_MISMATCH": errors.StatementError,
    "SQLITE_INTERRUPT": errors.StatementError,
}

RETRYABLE = {errors.LockTimeout, errors.SerializationFailure, errors.ConnectionLost}


def with_code(name: str, code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("what happened")
    error.sqlite_errorname, error.sqlite_errorcode = name, code
    return error


@pytest.mark.parametrize("cls", DRIVER_CLASSES, ids=lambda cls: cls.__name__)
def test_every_class_of_the_driver_is_translated(cls: type[Exception]):
    assert isinstance(translate(cls("what happened")), errors.MapperError)


@pytest.mark.parametrize("name", CODES)
def test_every_code_is_translated(name: str):
    translated = translate(with_code(name, CODES[name]), RawSql("x"))
    assert isinstance(translated, errors.MapperError)
    assert translated.retryable == (type(translated) in RETRYABLE)
    if isinstance(translated, errors.StoreError):
        assert translated.operation == RawSql("x")


@pytest.mark.parametrize("name", KINDS)
def test_codes_have_their_kinds(name: str):
    assert type(translate(with_code(name, CODES[name]))) is KINDS[name]


@pytest.fixture
async def blog(make: Any) -> SQLiteGateway:
    gateway: SQLiteGateway = make()
    await create(gateway)
    await gateway.execute(gateway.compile(rows(Users, "name", [("ann",), ("bob",)])))
    await gateway.execute(
        gateway.compile(rows(Posts, "id title slug author_id", [(1, "one", "1", 1), (2, "two", "2", 2)]))
    )
    return gateway


def post(**values: Any) -> Any:
    values = {"title": "new", "slug": "new", **values}
    return rows(Posts, " ".join(values), [tuple(values.values())])


@pytest.mark.parametrize(
    ("values", "kind", "columns"),
    [
        ({"id": 1}, errors.UniqueViolation, ("id",)),
        ({"title": "one", "slug": "1"}, errors.UniqueViolation, ("slug", "title")),
        ({"visits": -1}, errors.CheckViolation, ("visits",)),
        ({"visits": 10**7}, errors.CheckViolation, ("visits",)),
        ({"author_id": 99}, errors.ForeignKeyViolation, ("author_id",)),
        ({"author_id": 1, "editor_id": 99}, errors.ForeignKeyViolation, ("editor_id",)),
    ],
)
async def test_violation_names_relation_and_columns(blog: SQLiteGateway, values: dict, kind: type, columns: tuple):
    for work in (blog.execute, lambda operation: blog.run(program(operation))):
        operation = blog.compile(post(**values))
        with pytest.raises(kind) as caught:
            await work(operation)
        error: Any = caught.value
        assert (type(error), error.relation, error.columns) == (kind, Posts, columns)
        assert (error.operation, error.retryable) == (operation, False)
        assert isinstance(error.__cause__, sqlite3.IntegrityError)
        assert "Posts" in str(error)
    assert at_rest(blog)


async def test_missing_value_names_relation_and_column(blog: SQLiteGateway):
    operation = UpdateSql('UPDATE "posts" SET "title" = NULL', (), Posts)
    with pytest.raises(errors.NotNullViolation) as caught:
        await blog.execute(operation)
    assert (caught.value.relation, caught.value.columns) == (Posts, ("title",))


async def test_column_named_differently_in_the_store_is_told_by_its_attribute(blog: SQLiteGateway):
    with pytest.raises(errors.UniqueViolation) as caught:
        await blog.execute(blog.compile(rows(Users, "name", [("ann",)])))
    assert (caught.value.relation, caught.value.columns) == (Users, ("name",))


async def test_raw_statement_that_names_no_relation_tells_the_columns(blog: SQLiteGateway):
    with pytest.raises(errors.UniqueViolation) as caught:
        await blog.execute(RawSql("INSERT INTO users (\"full name\") VALUES ('ann')"))
    assert (caught.value.relation, caught.value.columns) == (None, ("full name",))


async def test_violated_check_is_told_by_its_name(blog: SQLiteGateway):
    with pytest.raises(errors.CheckViolation) as caught:
        await blog.execute(blog.compile(post(visits=10**7)))
    assert caught.value.constraint == "few"
    with pytest.raises(errors.UniqueViolation) as unique:
        await blog.execute(blog.compile(post(title="one", slug="1")))
    assert unique.value.constraint == "uq_posts_slug_title"


async def test_row_that_is_still_referred_to_names_what_refers_to_it(blog: SQLiteGateway):
    operation = RawSql('DELETE FROM "users"')
    with pytest.raises(errors.ForeignKeyViolation) as caught:
        await blog.execute(operation)
    assert caught.value.relation is None
    with pytest.raises(
        errors.ForeignKeyViolation, match=r"posts\.author or posts\.editor_id still refers to"
    ) as caught:
        await blog.execute(DeleteSql('DELETE FROM "users"', (), Users, writes=frozenset({Users, Posts})))
    assert caught.value.relation is Posts


async def test_update_to_a_missing_parent_names_the_column(blog: SQLiteGateway):
    with pytest.raises(errors.ForeignKeyViolation, match=r"Posts\.author_id refers to a row of Users") as caught:
        await blog.execute(UpdateSql('UPDATE "posts" SET "author" = ? WHERE "id" = ?', (99, 1), Posts))
    assert (caught.value.relation, caught.value.columns) == (Posts, ("author_id",))


async def test_deferred_foreign_key_fails_at_commit_and_is_explained(blog: SQLiteGateway):
    async with blog.connection() as connection:
        await connection.execute(START)
        await connection.execute(RawSql("PRAGMA defer_foreign_keys = ON"))
        await connection.execute(blog.compile(post(author_id=99)))
        with pytest.raises(errors.ForeignKeyViolation, match=r"posts\.author refers to a row of users") as caught:
            await connection.execute(Transaction("commit"))
        assert caught.value.columns == ("author",)
    assert at_rest(blog)
    assert await blog.fetch(query("SELECT count(*) FROM posts"), plain) == [2]


async def test_failed_commit_discards_the_connection(blog: SQLiteGateway):
    size = blog.statistics().size

    def work():
        yield START
        yield RawSql("PRAGMA defer_foreign_keys = ON")
        yield blog.compile(post(author_id=99))
        yield Transaction("commit")

    with pytest.raises(errors.ForeignKeyViolation):
        await blog.run(work())
    assert (size, blog.statistics().size) == (1, 0)
    assert await blog.fetch(query("SELECT count(*) FROM posts"), plain) == [2]


@pytest.mark.parametrize(
    ("operation", "kind", "message"),
    [
        (RawSql("SELEC 1"), errors.StatementError, "syntax error"),
        (RawSql("SELECT 1; SELECT 2"), errors.StatementError, "one statement at a time"),
        (RawSql("SELECT nope FROM users"), errors.StatementError, "no such column"),
        (RawSql("SELECT integer_exact(9223372036854775807 + 1)"), errors.StatementError, "left 64 bits"),
        (RawSql("SELECT decimal_add('x', 1)"), errors.StatementError, "'x'"),
        (RawSql("SELECT ?", (2**63,)), errors.ValueNotStorable, "too large"),
        (RawSql("SELECT ?", ("\ud800",)), errors.ValueNotStorable, "surrogates"),
        (RawSql("SELECT ?", (object(),)), errors.ValueNotStorable, "parameter cannot be stored"),
        (RawSql("SELECT ?", (float("nan"),)), errors.ValueNotStorable, "NaN|number"),
        (RawSql("SELECT ?"), errors.QueryError, "1 placeholders and 0 parameters"),
        (query("SELECT ?"), errors.StatementError, "bindings"),
        (RawSql("SELECT zeroblob(2000000000)"), errors.ValueNotStorable, "too big"),
        (RawSql("SELECT 1\0"), errors.StatementError, "null character"),
        (Transaction("commit"), errors.StatementError, "no transaction is active"),
        (Transaction("release", name="nowhere"), errors.StatementError, "no such savepoint"),
    ],
    ids=range(15),
)
async def test_statement_that_cannot_be_run_says_why(
    blog: SQLiteGateway, operation: Operation, kind: type, message: str
):
    with pytest.raises(kind, match=message) as caught:
        await blog.execute(operation)
    assert isinstance(caught.value, errors.MapperError)
    assert at_rest(blog)


async def test_constraint_of_a_trigger_is_a_violation(blog: SQLiteGateway):
    await blog.execute(RawSql("CREATE TRIGGER t BEFORE DELETE ON users BEGIN SELECT RAISE(ABORT, 'users stay'); END"))
    with pytest.raises(errors.ConstraintViolation, match="users stay"):
        await blog.execute(RawSql("DELETE FROM users"))


async def test_write_after_a_newer_snapshot_is_a_serialization_failure(blog: SQLiteGateway):
    async with blog.connection() as connection:
        await connection.execute(RawSql("BEGIN"))
        await connection.fetch(query("SELECT count(*) FROM users"), plain)
        await blog.execute(RawSql("UPDATE posts SET visits = 1"))
        with pytest.raises(errors.SerializationFailure) as caught:
            await connection.execute(RawSql("UPDATE posts SET visits = 2"))
        assert caught.value.retryable
    assert at_rest(blog)


async def test_unknown_operation_is_refused_before_a_connection_is_taken(make: Any):
    gateway = make()
    async with gateway.connection() as connection:
        for work in (gateway.execute, connection.execute):
            with pytest.raises(errors.Unsupported, match="GetByKey"):
                await work(GetByKey(None, (), ()))
    with pytest.raises(errors.Unsupported, match="GetByKey"):
        await gateway.fetch(GetByKey(None, (), ()), plain)
