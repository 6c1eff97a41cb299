"""Every SQLSTATE finds its place in the tree of errors."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from gateways.postgres import PostgresGateway
from gateways.postgres.errors import translate
from mapper import errors
from mapper.columns import Column, column
from mapper.operations import RawSql
from mapper.relation import Relation
from tests.postgres.relations import Note

KINDS: dict[str, tuple[type[errors.MapperError], bool]] = {
    "08000": (errors.ConnectionLost, True),
    "08001": (errors.CannotConnect, False),
    "08003": (errors.ConnectionLost, True),
    "08004": (errors.CannotConnect, False),
    "08006": (errors.ConnectionLost, True),
    "08007": (errors.CommitUnknown, False),
    "22021": (errors.ValueNotStorable, False),
    "22P05": (errors.ValueNotStorable, False),
    "23000": (errors.ConstraintViolation, False),
    "23001": (errors.ForeignKeyViolation, False),
    "23502": (errors.NotNullViolation, False),
    "23503": (errors.ForeignKeyViolation, False),
    "23505": (errors.UniqueViolation, False),
    "23514": (errors.CheckViolation, False),
    "23P01": (errors.ExclusionViolation, False),
    "25006": (errors.ReadOnly, False),
    "25P02": (errors.RolledBack, False),
    "25P03": (errors.ConnectionLost, True),
    "25P04": (errors.StatementTimeout, False),
    "28000": (errors.CannotConnect, False),
    "28P01": (errors.CannotConnect, False),
    "3D000": (errors.CannotConnect, False),
    "40000": (errors.SerializationFailure, True),
    "40001": (errors.SerializationFailure, True),
    "40002": (errors.ConstraintViolation, False),
    "40003": (errors.CommitUnknown, False),
    "40P01": (errors.Deadlock, True),
    "44000": (errors.CheckViolation, False),
    "53000": (errors.StatementError, True),
    "53100": (errors.StoreFull, False),
    "53200": (errors.StatementError, True),
    "53300": (errors.CannotConnect, True),
    "55P03": (errors.LockTimeout, True),
    "57000": (errors.StatementError, True),
    "57014": (errors.StatementTimeout, False),
    "57P01": (errors.ConnectionLost, True),
    "57P02": (errors.ConnectionLost, True),
    "57P03": (errors.CannotConnect, True),
    "57P04": (errors.CannotConnect, False),
    "57P05": (errors.ConnectionLost, True),
    "58030": (errors.StoreCorrupt, False),
    "72000": (errors.StatementError, True),
    "XX001": (errors.StoreCorrupt, False),
    "XX002": (errors.StoreCorrupt, False),
}
"""What becomes of each state, and whether it is worth a retry. All others are statement errors, and are not."""

CLASSES = ("08", "22", "23", "25", "28", "40", "42", "53", "54", "55", "57", "58", "XX")


def known_states() -> list[str]:
    """Return the states of the table in appendix A of PostgreSQL's manual, as the driver has it."""
    found = {getattr(each, "sqlstate", None) for each in vars(asyncpg.exceptions).values()}
    return sorted(each for each in found if each is not None and each[:2] not in ("00", "01", "02", "03"))


def raised(state: str, text: str = "no way", severity: str = "ERROR") -> Exception:
    """Return the driver's error for what a server says."""
    fields = {"S": severity, "V": severity, "C": state, "M": text}
    return asyncpg.PostgresError.new(fields)


@pytest.fixture
async def gateway(postgres_url: str) -> AsyncIterator[PostgresGateway]:
    async with PostgresGateway(postgres_url) as gateway:
        yield gateway


def test_table_of_states_is_complete():
    known = known_states()
    assert len(known) > 240
    assert set(KINDS) <= set(known)
    assert {*CLASSES} <= {each[:2] for each in known}


@pytest.mark.feature("T29")
@pytest.mark.parametrize("state", known_states())
def test_every_state_is_translated_by_the_table(state: str):
    kind, retryable = KINDS.get(state, (errors.StatementError, False))
    error = translate(raised(state), RawSql("SELECT 1"), lost=False)
    assert isinstance(error, errors.MapperError)
    assert (type(error), error.retryable) == (kind, retryable)
    assert "no way" in error.message or state == "25P02"
    assert error.message[0].islower()


@pytest.mark.parametrize("state", ["08006", "57P01", "57P02", "25P03", "57P05", "08003"])
def test_loss_of_what_may_have_been_committed_is_unknown(state: str):
    fatal = translate(raised(state, severity="FATAL"), RawSql("INSERT"), lost=True, unsure=True)
    assert (type(fatal), getattr(fatal, "retryable", None)) == (errors.CommitUnknown, False)
    answered = translate(raised(state), RawSql("INSERT"), lost=False, unsure=True)
    assert (type(answered), getattr(answered, "retryable", None)) == (errors.ConnectionLost, True)


@pytest.mark.parametrize("state", ["40001", "40P01", "23505", "57014", "53100", "55P03"])
def test_answer_of_the_server_is_certain_whatever_was_sent(state: str):
    error = translate(raised(state), RawSql("INSERT"), lost=False, unsure=True)
    assert type(error) is KINDS[state][0]


def test_missing_file_is_damage_where_it_is_a_file_of_the_data():
    damaged = translate(raised("58P01", 'could not open file "base/5/16384": No such file'), None, lost=False)
    foreign = translate(raised("58P01", 'could not access file "$libdir/x": No such file'), None, lost=False)
    assert (type(damaged), type(foreign)) == (errors.StoreCorrupt, errors.StatementError)


@pytest.mark.parametrize(
    "error",
    [TimeoutError(), OSError("broken pipe"), asyncpg.InterfaceError("another operation is in progress"), ValueError()],
)
def test_error_of_the_driver_or_the_network_is_translated_and_others_are_not(error: Exception):
    translated = translate(error, None, lost=False)
    assert isinstance(translated, errors.MapperError) is not isinstance(error, ValueError)


@pytest.mark.parametrize("state", ["22012", "42601", "P0001", *[each for each in KINDS if each[:2] != "08"]])
async def test_state_that_the_server_raises_is_translated(gateway: PostgresGateway, state: str):
    operation = RawSql(f"DO $$ BEGIN RAISE EXCEPTION 'no way' USING ERRCODE = '{state}'; END $$")
    with pytest.raises(errors.MapperError, match=r"no way|aborted") as caught:
        await gateway.execute(operation)
    kind, retryable = KINDS.get(state, (errors.StatementError, False))
    assert (type(caught.value), caught.value.retryable) == (kind, retryable)
    assert caught.value.__cause__ is not None
    assert gateway.statistics().in_use == 0


async def test_value_of_a_sensitive_column_is_in_no_error(gateway: PostgresGateway):
    class Secret:
        def __repr__(self) -> str:
            return "hunter2"

    class Keys(Relation[Note]):
        id: Column[int] = column(primary_key=True)
        text: Column[str] = column(sensitive=True)

    operation = RawSql("SELECT ?::text", (Secret(),), reads=frozenset({Keys}))
    with pytest.raises(errors.ValueNotStorable) as caught:
        await gateway.execute(operation)
    assert "hunter2" not in str(caught.value)
    with pytest.raises(errors.ValueNotStorable, match="hunter2"):
        await gateway.execute(RawSql("SELECT ?::text", (Secret(),)))


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
