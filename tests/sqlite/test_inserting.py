"""Inserts of so many rows that several go in one statement: as if each went by itself."""

import pytest

from gateways.sqlite import SQLiteGateway
from mapper import Column, Relation, column
from mapper.errors import NotNullViolation, UniqueViolation
from mapper.operations import RawSql
from mapper.statements import InsertRows
from tests.sqlite.conftest import COMMIT, START, Make
from tests.sqlite.relations import names, rows

SIZE = 1000


class Word:
    def __init__(self, text: str, length: int) -> None:
        self.text = text
        self.length = length


class Words(Relation[Word]):
    id: Column[int] = column(primary_key=True)
    text: Column[str]
    length: Column[int]


PLAIN = "CREATE TABLE words (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL {}, length INTEGER NOT NULL {})"


async def words(make: Make, unique: str = "UNIQUE", more: str = "") -> SQLiteGateway:
    gateway = make()
    await gateway.execute(RawSql(PLAIN.format(unique, more)))
    return gateway


def new(count: int = SIZE, *, twice: int | None = None, returning: str = "id") -> InsertRows:
    """New words, of which the one at `twice` is the first again."""
    texts = [f"word {each if each != twice else 0}" for each in range(count)]
    return rows(Words, "text length", [(each, len(each)) for each in texts], returning)


async def texts(gateway: SQLiteGateway) -> list[object]:
    return await names(gateway, "SELECT text FROM words ORDER BY id")


@pytest.mark.parametrize("returning", ["", "id"])
@pytest.mark.parametrize("count", [127, 128, 129, SIZE, SIZE + 1])
async def test_rows_are_all_there_in_their_order(make: Make, returning: str, count: int):
    gateway = await words(make)
    result = await gateway.execute(gateway.compile(new(count, returning=returning)))
    assert result.count == count
    assert list(result.rows) == ([(each,) for each in range(1, count + 1)] if returning else [])
    assert await texts(gateway) == [f"word {each}" for each in range(count)]


@pytest.mark.parametrize("returning", ["", "id"])
@pytest.mark.parametrize("twice", [1, 500, SIZE - 1])
async def test_row_that_is_refused_leaves_none_of_the_others(make: Make, returning: str, twice: int):
    gateway = await words(make)
    with pytest.raises(UniqueViolation):
        await gateway.execute(gateway.compile(new(twice=twice, returning=returning)))
    assert await texts(gateway) == []
    await gateway.execute(gateway.compile(new(1)))
    assert await texts(gateway) == ["word 0"]


@pytest.mark.parametrize("returning", ["", "id"])
async def test_row_that_is_refused_leaves_what_the_transaction_did_before(make: Make, returning: str):
    gateway = await words(make)
    async with gateway.connection() as connection:
        await connection.execute(START)
        await connection.execute(gateway.compile(new(1)))
        with pytest.raises(UniqueViolation):
            await connection.execute(gateway.compile(new(returning=returning)))
        await connection.execute(COMMIT)
    assert await texts(gateway) == ["word 0"]


@pytest.mark.parametrize("returning", ["", "id"])
@pytest.mark.parametrize(
    ("unique", "expected"),
    [
        pytest.param("UNIQUE ON CONFLICT IGNORE", SIZE - 1, id="ignore"),
        pytest.param("UNIQUE on  conflict REPLACE", SIZE - 1, id="replace"),
    ],
)
async def test_what_a_table_says_of_conflicts_holds(make: Make, returning: str, unique: str, expected: int):
    gateway = await words(make, unique)
    statement = new(twice=500, returning=returning)
    if returning and "IGNORE" in unique:
        statement = new(returning=returning)
        expected = SIZE
    await gateway.execute(gateway.compile(statement))
    assert len(await texts(gateway)) == expected


async def test_trigger_runs_for_each_row(make: Make):
    gateway = await words(make)
    await gateway.execute(RawSql("CREATE TABLE log (text TEXT)"))
    await gateway.execute(
        RawSql("CREATE TRIGGER logged AFTER INSERT ON words BEGIN INSERT INTO log VALUES (new.text); END")
    )
    await gateway.execute(gateway.compile(new()))
    assert len(await names(gateway, "SELECT text FROM log")) == SIZE


@pytest.mark.parametrize("returning", ["", "id"])
async def test_check_of_a_row_in_the_middle_names_its_constraint(make: Make, returning: str):
    gateway = await words(make, more="CONSTRAINT short CHECK (length < 8)")
    with pytest.raises(Exception, match="short"):
        await gateway.execute(gateway.compile(new(returning=returning)))
    assert await texts(gateway) == []


async def test_columns_that_the_table_lacks_are_told(make: Make):
    gateway = make()
    await gateway.execute(
        RawSql("CREATE TABLE words (id INTEGER PRIMARY KEY, text TEXT, length INTEGER, more NOT NULL)")
    )
    with pytest.raises(NotNullViolation):
        await gateway.execute(gateway.compile(new()))
