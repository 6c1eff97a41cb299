"""The functions that the SQLite gateway registers, run by SQLite."""

import re
import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateways.sqlite import aggregates, computing, functions, moments, numbers
from gateways.sqlite.functions import Failures, register
from mapper.types import decimals
from tests.types import values


@pytest.fixture(scope="module")
def database() -> Iterator[tuple[sqlite3.Connection, Failures]]:
    """A database with the functions."""
    connection = sqlite3.connect(":memory:")
    yield connection, register(connection)
    connection.close()


@pytest.fixture(scope="module")
def connection(database: tuple[sqlite3.Connection, Failures]) -> sqlite3.Connection:
    """The connection of the database."""
    return database[0]


def value_of(connection: sqlite3.Connection, sql: str, *parameters: Any) -> Any:
    """The one value of a query."""
    return connection.execute(f"SELECT {sql}", parameters).fetchone()[0]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("decimal_add('0.1', '0.2')", "0.3"),
        ("decimal_add('1.10', 2)", "3.10"),
        ("decimal_sub('1', '1.00')", "0.00"),
        ("decimal_sub('0', '0.0')", "0.0"),
        ("decimal_mul('-1.5', '2.00')", "-3.000"),
        ("decimal_mul('99999999999999999999', '99999999999999999999')", "9999999999999999999800000000000000000001"),
        ("decimal_div('1', '8')", "0.125"),
        ("decimal_div('1', '3')", "0.3333333333333333333333333333"),
        ("decimal_add(0.1, 0.2)", "0.3"),
        ("decimal_cmp('1.0', '1.00')", 0),
        ("decimal_cmp('9', '10')", -1),
        ("decimal_cmp('-9', '-10')", 1),
        ("decimal_add(NULL, '1')", None),
        ("decimal_cmp('1', NULL)", None),
        ("integer_exact(5 + 5)", 10),
        ("integer_exact(NULL)", None),
        ("real_exact('0.1')", 0.1),
        ("real_exact('-inf')", float("-inf")),
        ("real_exact(1)", 1.0),
        ("real_exact(NULL)", None),
        ("unhex_exact('00ff')", b"\x00\xff"),
        ("unhex_exact('')", b""),
        ("unhex_exact(NULL)", None),
    ],
)
def test_function_has_its_value(connection: sqlite3.Connection, sql: str, expected: Any):
    found = value_of(connection, sql)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("sql", "error", "words"),
    [
        ("integer_exact(9223372036854775807 + 1)", OverflowError, "integer arithmetic left 64 bits"),
        ("integer_exact('5')", TypeError, "expected an integer"),
        ("decimal_add('one', 1)", ValueError, "cannot read str 'one'"),
        ("decimal_add(x'00', 1)", ValueError, "cannot read bytes"),
        ("decimal_div(1, '0.0')", ZeroDivisionError, "division of 1 by zero"),
        ("decimal_mul('1e131000', '1e131000')", OverflowError, "too many digits"),
        ("real_exact(x'31')", TypeError, "expected a number"),
        ("real_exact('x')", ValueError, "could not convert"),
        ("unhex_exact('zz')", ValueError, "non-hexadecimal"),
        ("like_exact('a', 'a', 'ab')", ValueError, "expected one character"),
        ("decimal_sum('x')", ValueError, "cannot read str 'x'"),
    ],
)
def test_failure_is_an_error_whose_cause_is_kept(
    database: tuple[sqlite3.Connection, Failures], sql: str, error: type[Exception], words: str
):
    connection, failures = database
    with pytest.raises(sqlite3.OperationalError):
        value_of(connection, sql)
    kept = failures.take()
    assert type(kept) is error
    assert words in str(kept)
    assert failures.take() is None


def test_functions_are_deterministic(connection: sqlite3.Connection):
    # SQLite takes only such functions into an index.
    connection.execute("CREATE TABLE d (x TEXT)")
    for call in (
        "decimal_add(x, 1)",
        "decimal_cmp(x, 1)",
        "integer_exact(x)",
        "real_exact(x)",
        "unhex_exact(x)",
        "like_exact(x, x)",
    ):
        connection.execute(f"CREATE INDEX i ON d ({call})")
        connection.execute("DROP INDEX i")
    connection.execute("DROP TABLE d")


@pytest.mark.feature("T2")
@given(st.lists(values.decimals | st.none(), max_size=6))
def test_sum_and_average_are_exact(connection: sqlite3.Connection, numbers: list[Decimal | None]):
    fill(connection, numbers)
    total, average = connection.execute("SELECT decimal_sum(x), decimal_avg(x) FROM n").fetchone()
    present = [decimals.normalised(number) for number in numbers if number is not None]
    if not present:
        assert (total, average) == (None, None)
    else:
        assert total == decimals.text(decimals.rounded(decimals.total(present), max(map(decimals.scale, present))))
        assert Decimal(average) == decimals.divide(decimals.total(present), Decimal(len(present)))


def fill(connection: sqlite3.Connection, numbers: list[Decimal | None]) -> None:
    """Make the table `n` of decimals."""
    connection.execute("DROP TABLE IF EXISTS n")
    connection.execute("CREATE TABLE n (i INTEGER PRIMARY KEY, x TEXT COLLATE decimal)")
    rows = [(None if number is None else decimals.text(decimals.normalised(number)),) for number in numbers]
    connection.executemany("INSERT INTO n (x) VALUES (?)", rows)


@pytest.mark.feature("T2")
@given(st.lists(values.decimals | st.none(), max_size=6))
def test_sliding_window_equals_the_aggregate_of_its_rows(connection: sqlite3.Connection, numbers: list[Decimal | None]):
    fill(connection, numbers)
    frame = "OVER (ORDER BY i ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)"
    windows = connection.execute(f"SELECT decimal_sum(x) {frame}, decimal_avg(x) {frame} FROM n ORDER BY i").fetchall()
    for position, found in enumerate(windows, 1):
        sql = "SELECT decimal_sum(x), decimal_avg(x) FROM n WHERE i IN (?, ?)"
        assert found == connection.execute(sql, (position - 1, position)).fetchone()


def test_sum_of_distinct_and_filtered_rows(connection: sqlite3.Connection):
    fill(connection, [Decimal("1.5"), Decimal("1.5"), Decimal(2), None])
    sql = "SELECT decimal_sum(DISTINCT x), decimal_sum(x) FILTER (WHERE x > '1.5'), decimal_avg(x) FROM n"
    assert connection.execute(sql).fetchone() == ("3.5", "2", decimals.text(decimals.divide(Decimal(5), Decimal(3))))


@given(
    st.lists(
        values.decimals.map(lambda number: decimals.text(decimals.normalised(number))) | st.text("ab1.-", max_size=4)
    )
)
def test_collation_orders_numbers_before_other_text(connection: sqlite3.Connection, texts: list[str]):
    connection.execute("DROP TABLE IF EXISTS c")
    connection.execute("CREATE TABLE c (x TEXT)")
    connection.executemany("INSERT INTO c VALUES (?)", [(text,) for text in texts])
    found = [row[0] for row in connection.execute("SELECT x FROM c ORDER BY x COLLATE decimal, rowid")]
    assert found == sorted(texts, key=order)


def order(text: str) -> tuple[int, Decimal, str]:
    """Where a text stands: numbers by value, then the rest by code point."""
    try:
        return 0, Decimal(text), ""
    except ArithmeticError:
        return 1, Decimal(0), text


LIKES: list[tuple[str, str, str | None, bool]] = [
    ("abc", "abc", None, True),
    ("abc", "ABC", None, False),
    ("a%", "abc", None, True),
    ("%", "", None, True),
    ("", "", None, True),
    ("", "a", None, False),
    ("_", "", None, False),
    ("_", "\U0001f600", None, True),
    ("a_c", "a\nc", None, True),
    ("%b%", "abc", None, True),
    ("a%a", "a", None, False),
    ("%ab%ab%", "ab", None, False),
    ("a.c", "abc", None, False),
    ("50!%", "50%", "!", True),
    ("50!%", "50x", "!", False),
    ("!_!!", "_!", "!", True),
    ("%_b", "ab", None, True),
    ("a!", "a", "!", False),
    ("%%", "x", "%", False),
    ("[a]", "[a]", None, True),
]


@pytest.mark.feature("T17")
@pytest.mark.parametrize(("pattern", "text", "escape", "expected"), LIKES)
def test_like_tells_cases_apart(
    connection: sqlite3.Connection, pattern: str, text: str, escape: str | None, expected: bool
):
    arguments = (pattern, text) if escape is None else (pattern, text, escape)
    assert value_of(connection, f"like_exact({', '.join('?' * len(arguments))})", *arguments) == expected


@pytest.mark.feature("T17")
def test_like_of_other_kinds_of_values(connection: sqlite3.Connection):
    found = [
        value_of(connection, f"like_exact({arguments})")
        for arguments in ("'1%', 123", "'%', x'61'", "NULL, 'a'", "'a', NULL", "'1.5', 1.5")
    ]
    assert found == [1, 0, None, None, 1]


@pytest.mark.feature("T17")
@given(st.text("aA_%!\n", max_size=8), st.text("aA_%!\n", max_size=8), st.sampled_from([None, "!", "_"]))
def test_like_is_sqlites_own_apart_from_case(
    connection: sqlite3.Connection, pattern: str, text: str, escape: str | None
):
    arguments = (pattern, text) if escape is None else (pattern, text, escape)
    marks = ", ".join("?" * len(arguments))
    connection.execute("PRAGMA case_sensitive_like = ON")
    assert value_of(connection, f"like_exact({marks}) = like({marks})", *arguments, *arguments) == 1


@pytest.mark.feature("T17")
def test_like_does_not_backtrack(connection: sqlite3.Connection):
    assert value_of(connection, "like_exact(?, ?)", "%a_" * 200 + "b", "a" * 20_000) == 0


def test_every_function_is_documented():
    documented = "".join([str(each.__doc__) for each in (aggregates, computing, functions, moments, numbers)])
    connection = sqlite3.connect(":memory:")
    before = {row[0] for row in connection.execute("SELECT name FROM pragma_function_list")}
    register(connection)
    added = {row[0] for row in connection.execute("SELECT name FROM pragma_function_list")} - before
    connection.close()
    assert {name for name in added if not re.search(rf"`{name}[(`\[]|`{name}\(", documented)} == set()
