"""Every SQLSTATE finds its place in the tree of errors."""

from collections.abc import AsyncIterator

import pytest

from gateways.postgres import PostgresGateway
from mapper import errors
from mapper.operations import RawSql

STATES = {
    "23505": errors.UniqueViolation,
    "23503": errors.ForeignKeyViolation,
    "23001": errors.ForeignKeyViolation,
    "23502": errors.NotNullViolation,
    "23514": errors.CheckViolation,
    "44000": errors.CheckViolation,
    "23P01": errors.ExclusionViolation,
    "23000": errors.ConstraintViolation,
    "40001": errors.SerializationFailure,
    "40P01": errors.Deadlock,
    "40003": errors.CommitUnknown,
    "55P03": errors.LockTimeout,
    "57014": errors.StatementTimeout,
    "25006": errors.ReadOnly,
    "53100": errors.StoreFull,
    "53300": errors.CannotConnect,
    "57P03": errors.CannotConnect,
    "28P01": errors.CannotConnect,
    "57P01": errors.ConnectionLost,
    "08006": errors.ConnectionLost,
    "58030": errors.StoreCorrupt,
    "XX001": errors.StoreCorrupt,
    "22P05": errors.ValueNotStorable,
    "25P02": errors.RolledBack,
    "22012": errors.StatementError,
    "42601": errors.StatementError,
    "P0001": errors.StatementError,
}

RETRYABLE = {"40001", "40P01", "55P03", "57P01", "08006"}


@pytest.fixture
async def gateway(postgres_url: str) -> AsyncIterator[PostgresGateway]:
    async with PostgresGateway(postgres_url) as gateway:
        yield gateway


async def test_every_state_is_translated(gateway: PostgresGateway):
    for state, kind in STATES.items():
        operation = RawSql(f"DO $$ BEGIN RAISE EXCEPTION 'no way' USING ERRCODE = '{state}'; END $$")
        with pytest.raises(errors.MapperError, match=r"no way|aborted") as caught:
            await gateway.execute(operation)
        assert type(caught.value) is kind, state
        assert caught.value.retryable is (state in RETRYABLE), state
        assert caught.value.message[0].islower()
        assert caught.value.__cause__ is not None
    assert gateway.statistics().in_use == 0


async def test_violation_of_an_unknown_table_tells_what_it_can(gateway: PostgresGateway):
    await gateway.execute(RawSql('CREATE TABLE odd (a int, "b, c" int, UNIQUE (a, "b, c"))'))
    with pytest.raises(errors.UniqueViolation) as caught:
        await gateway.execute(RawSql("INSERT INTO odd VALUES (1, 2), (1, 2)"))
    assert (caught.value.relation, caught.value.columns) == (None, ("a", "b, c"))
    assert "(1, 2)" not in str(caught.value)


async def test_missing_table_names_the_next_step(gateway: PostgresGateway):
    with pytest.raises(errors.StatementError, match="push_schema"):
        await gateway.execute(RawSql("SELECT * FROM nowhere"))


async def test_password_is_in_no_error_of_a_refused_connection(postgres_url: str):
    url = postgres_url.replace("app@", "nobody:hunter2@")
    with pytest.raises(errors.CannotConnect) as caught:
        await PostgresGateway(url).execute(RawSql("SELECT 1"))
    assert "hunter2" not in f"{caught.value!r} {caught.value}"


async def test_without_asyncpg_the_error_names_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "asyncpg", None)
    with pytest.raises(errors.CannotConnect, match=r'pip install "tbd-mapper\[postgres\]"'):
        await PostgresGateway("postgresql://localhost/x").execute(RawSql("SELECT 1"))


async def test_changed_table_does_not_break_cached_statements(gateway: PostgresGateway):
    await gateway.execute(RawSql("CREATE TABLE t (a int)"))
    assert (await gateway.execute(RawSql("SELECT * FROM t"))).rows == []
    await gateway.execute(RawSql("ALTER TABLE t ADD COLUMN b text"))
    assert (await gateway.execute(RawSql("SELECT * FROM t"))).rows == []
