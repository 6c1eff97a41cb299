"""
Values through a real SQLite: they come back equal, sort as they do in Python, and what other programs wrote is read
or refused.
"""

import datetime as dt
import json
import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateways.sqlite.codecs import (
    SQLITE_CODECS,
    SQLiteCodecs,
    collation,
    declared_type,
    json_item,
    json_parameter,
    recognised,
)
from gateways.sqlite.functions import register
from mapper import types
from mapper.errors import Unsupported
from tests.types.values import KINDS, POINT, Card, Circle, Color, Level, Point, Price, Right, scaled

CODECS: types.Codecs = SQLITE_CODECS


@pytest.fixture(scope="module")
def connection() -> Iterator[sqlite3.Connection]:
    """One database for all tests of the module; each makes the table `t` anew."""
    made = sqlite3.connect(":memory:")
    register(made)
    yield made
    made.close()


def fill(connection: sqlite3.Connection, type_: types.StorageType[Any], values: list[Any]) -> None:
    """Make the table `t`, whose column `x` has the type, of encoded values."""
    encode, order = CODECS.encoder(type_), collation(type_)
    connection.execute("DROP TABLE IF EXISTS t")
    connection.execute(f"CREATE TABLE t (x {declared_type(type_)} {f'COLLATE {order}' if order else ''})")
    connection.executemany(
        "INSERT INTO t VALUES (?)", [(None if value is None else encode(value),) for value in values]
    )


def read(connection: sqlite3.Connection, type_: types.StorageType[Any], sql: str, *parameters: Any) -> list[Any]:
    """Run a query of one column and decode it."""
    decode = CODECS.decoder(type_)
    return [
        value if value is None or decode is None else decode(value) for (value,) in connection.execute(sql, parameters)
    ]


@pytest.mark.feature("T2", "T8", "T9", "T10")
@pytest.mark.parametrize("kind", KINDS)
def test_values_come_back_equal_and_of_the_same_class(kind: str, connection: sqlite3.Connection):
    type_, strategy = KINDS[kind]

    @given(st.lists(strategy | st.none(), max_size=5))
    def check(values: list[Any]) -> None:
        fill(connection, type_, values)
        found = read(connection, type_, "SELECT x FROM t ORDER BY rowid")
        assert found == values
        assert [type(value) for value in found] == [type(value) for value in values]

    check()


@pytest.mark.feature("T2")
@pytest.mark.parametrize("kind", ["numeric", "numeric(12, 2)", "list of decimal"])
@given(st.data())
def test_decimals_keep_their_digits(kind: str, connection: sqlite3.Connection, data: st.DataObject):
    type_, strategy = KINDS[kind]
    value = data.draw(strategy)
    fill(connection, type_, [value])
    (found,) = read(connection, type_, "SELECT x FROM t")
    expected = type_.check(value)
    assert str(found) == str(expected)


SORTED = [
    "integer", "boolean", "float", "bytes", "numeric", "numeric(12, 2)", "timestamp", "timestamptz", "date", "time", "interval", "uuid",
]  # fmt: skip


@pytest.mark.feature("T2")
@pytest.mark.parametrize("kind", SORTED)
def test_store_sorts_and_compares_as_python_does(kind: str, connection: sqlite3.Connection):
    type_, strategy = KINDS[kind]

    @given(st.lists(strategy, min_size=2, max_size=8))
    def check(values: list[Any]) -> None:
        fill(connection, type_, values)
        assert read(connection, type_, "SELECT x FROM t ORDER BY x") == sorted(values)
        pivot = values[0]
        for sign, expected in (("<", [v < pivot for v in values]), ("=", [v == pivot for v in values])):
            found = connection.execute(f"SELECT x {sign} ? FROM t ORDER BY rowid", (CODECS.encoder(type_)(pivot),))
            assert [bool(row[0]) for row in found] == expected

    check()


@pytest.mark.feature("T2")
@pytest.mark.parametrize("zone", [None, dt.UTC])
def test_fractions_of_a_second_sort_among_whole_ones(zone: dt.timezone | None, connection: sqlite3.Connection):
    type_ = types.TimestampTz() if zone else types.Timestamp()
    second = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=zone)
    moments = [second + dt.timedelta(microseconds=each) for each in (-1, 0, 1, 500_000, 999_999, 1_000_000)]
    fill(connection, type_, list(reversed(moments)))
    assert read(connection, type_, "SELECT x FROM t ORDER BY x") == moments


@pytest.mark.feature("T2")
def test_text_sorts_by_code_point(connection: sqlite3.Connection):
    words = ["", "A", "Z", "a", "ä", "\uffff", "\U0001f600"]
    fill(connection, types.Text(), words[::-1])
    assert read(connection, types.Text(), "SELECT x FROM t ORDER BY x") == words


FORMS: list[tuple[types.StorageType[Any], Any, Any]] = [
    (types.Boolean(), True, 1),
    (types.Float(), 1, 1.0),
    (types.Float(), float("-inf"), float("-inf")),
    (types.Numeric(), Decimal("1.10"), "1.10"),
    (types.Numeric(), Decimal("1E-7"), "0.0000001"),
    (types.Numeric(), Decimal("1E+3"), "1000"),
    (types.Numeric(), Decimal("-0.0"), "0.0"),
    (types.Numeric(), 7, "7"),
    (types.Numeric(12, 2), Decimal("5"), "5.00"),
    (types.Numeric(20, 10), Decimal(0), "0.0000000000"),
    (types.Timestamp(), dt.datetime(1, 1, 1), "0001-01-01 00:00:00"),
    (types.Timestamp(), dt.datetime.max, "9999-12-31 23:59:59.999999"),
    (
        types.TimestampTz(),
        dt.datetime(2026, 1, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=2))),
        "2026-01-01 00:00:00+00:00",
    ),
    (types.TimestampTz(), dt.datetime(2026, 1, 1, 0, 0, 0, 5, dt.UTC), "2026-01-01 00:00:00.000005+00:00"),
    (types.Date(), dt.date(33, 4, 3), "0033-04-03"),
    (types.Time(), dt.time(1, 2, 3, 4), "01:02:03.000004"),
    (types.Interval(), dt.timedelta(days=-1, seconds=1, microseconds=2), -86_398_999_998),
    (types.Uuid(), UUID("A" * 32), "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"),
    (types.Enumeration(Color), Color.RED, "red"),
    (types.Enumeration(Color, by="name"), Color.RED, "RED"),
    (types.Enumeration(Price), Price.CHEAP, "1.50"),
    (types.Enumeration(Right), Right.READ | Right.WRITE, 3),
    (types.List(types.Numeric()), [Decimal("1.0")], '["1.0"]'),
    (types.List(types.Boolean(), nullable=True), [True, None], "[1,null]"),
    (types.List(types.Bytes()), [b"\xff"], '["ff"]'),
    (types.List(types.Enumeration(Level)), [Level.LOW], "[1]"),
    (types.Json(), {"a": None}, '{"a":null}'),
    (types.Json(), None, "null"),
    (POINT, Point(1, 2), "1;2"),
]


@pytest.mark.feature("T2", "T8")
@pytest.mark.parametrize(("type_", "value", "stored"), FORMS)
def test_value_has_its_stored_form(type_: types.StorageType[Any], value: Any, stored: Any):
    encoded = CODECS.encoder(type_)(value)
    assert (encoded, type(encoded)) == (stored, type(stored))


@pytest.mark.feature("T2")
@pytest.mark.parametrize(
    ("type_", "value", "words"),
    [
        (types.Float(), float("nan"), "expected a float that is a number"),
        (types.List(types.Float()), [1.0, float("inf")], "item 1: found float inf, expected a finite float in a list"),
        (types.List(types.Float()), [float("nan")], "item 0: found float nan"),
        (types.List(types.Varchar(1)), ["ab"], "item 0: found str 'ab', expected a str of at most 1 characters"),
        (types.Boolean(), 1, "expected a bool"),
        (types.Enumeration(Level), 1, "expected a member of Level"),
        (types.Json(Circle), None, "found None, expected Circle"),
        (types.Json(), {"a": b""}, "that JSON keeps exactly"),
        (
            types.Codec(types.Float(), Point, lambda point: float("nan"), lambda stored: Point(0, 0)),
            Point(1, 2),
            "float nan",
        ),
        *[(type_, None, "found None, expected") for type_, _ in KINDS.values() if not isinstance(type_, types.Json)],
        *[(type_, object(), "expected") for type_, _ in KINDS.values()],
    ],
)
def test_value_that_cannot_be_kept_is_refused(type_: types.StorageType[Any], value: Any, words: str):
    with pytest.raises(types.Misfit) as caught:
        CODECS.encoder(type_)(value)
    assert words in caught.value.message


UTC_NOON = dt.datetime(2026, 1, 2, 12, tzinfo=dt.UTC)

FOREIGN: list[tuple[types.StorageType[Any], Any, Any]] = [
    (types.Float(), 3, 3.0),
    (types.Numeric(), 5, Decimal(5)),
    (types.Numeric(), 0.1, Decimal("0.1")),
    (types.Numeric(), "1e3", Decimal(1000)),
    (types.Numeric(), "-0.0", Decimal("0.0")),
    (types.Numeric(12, 2), 2.345, Decimal("2.35")),
    (types.Numeric(12, 2), "1.1", Decimal("1.10")),
    (types.Numeric(12, 2), "-1.005", Decimal("-1.01")),
    (types.Timestamp(), "2026-01-02T12:00:00", dt.datetime(2026, 1, 2, 12)),
    (types.Timestamp(), "2026-01-02 12:00:00.5", dt.datetime(2026, 1, 2, 12, 0, 0, 500_000)),
    (types.Timestamp(), "2026-01-02", dt.datetime(2026, 1, 2)),
    (types.TimestampTz(), "2026-01-02 12:00:00", UTC_NOON),
    (types.TimestampTz(), "2026-01-02T12:00:00Z", UTC_NOON),
    (types.TimestampTz(), "2026-01-02T13:30:00.000+01:30", UTC_NOON),
    (types.TimestampTz(), "2026-01-02 12:00:00.000+00:00", UTC_NOON),
    (types.Time(), "12:30", dt.time(12, 30)),
    (types.Uuid(), UUID(int=5).bytes, UUID(int=5)),
    (types.Uuid(), "{AAAAAAAA-AAAA-AAAA-AAAA-AAAAAAAAAAAA}", UUID("a" * 32)),
    (types.Enumeration(Price), 1000, Price.DEAR),
    (types.List(types.Integer()), "[ 1, 2 ]", [1, 2]),
    (types.List(types.Numeric()), '["1e3"]', [Decimal(1000)]),
    (types.Json(), " [1] ", [1]),
]


@pytest.mark.feature("T2")
@pytest.mark.parametrize(("type_", "stored", "value"), FOREIGN)
def test_form_of_another_program_is_read(type_: types.StorageType[Any], stored: Any, value: Any):
    decode = CODECS.decoder(type_)
    assert decode is not None
    found = decode(stored)
    assert (found, type(found), str(found)) == (value, type(value), str(value))


@pytest.mark.feature("T2")
@pytest.mark.parametrize(
    ("type_", "stored", "words"),
    [
        (types.Boolean(), 2, "cannot read int 2 from SQLite, expected 0 or 1"),
        (types.Boolean(), "1", "cannot read str '1'"),
        (types.Boolean(), 1.0, "cannot read float 1.0"),
        (types.Float(), "1", "cannot read str '1' from SQLite, expected a number"),
        (types.Numeric(), "one", "cannot read str 'one'"),
        (types.Numeric(), "NaN", "expected a finite number"),
        (types.Numeric(), b"1", "cannot read bytes b'1'"),
        (types.Numeric(), float("inf"), "expected a finite number"),
        (types.Numeric(12, 2), "1e999999999", "expected a finite number"),
        (types.Timestamp(), 5, "cannot read int 5"),
        (types.Timestamp(), "2026-01-02 12:00:00Z", "expected a naive datetime"),
        (types.Timestamp(), "2026-13-02 12:00:00", "cannot read str '2026-13-02 12:00:00'"),
        (types.TimestampTz(), "now", "cannot read str 'now'"),
        (types.TimestampTz(), 1.5, "cannot read float 1.5"),
        (types.TimestampTz(), "9999-12-31 23:00:00-02:00", "cannot read str"),
        (types.Date(), "2026-01-02 00:00:00", "'YYYY-MM-DD' for a date"),
        (types.Date(), 20260102, "cannot read int"),
        (types.Time(), "12:00:00Z", "expected a naive time"),
        (types.Time(), b"12:00", "cannot read bytes"),
        (types.Interval(), "1", "a whole number of microseconds"),
        (types.Uuid(), "x", "expected a UUID as text or 16 bytes"),
        (types.Uuid(), b"short", "expected a UUID as text or 16 bytes"),
        (types.Uuid(), 5, "expected a UUID"),
        (
            types.Enumeration(Color),
            "green",
            "cannot read str 'green' from SQLite, expected the value of a member of Color",
        ),
        (types.Enumeration(Color, by="name"), "red", "expected the name of a member of Color"),
        (types.Enumeration(Price), "x", "expected the value of a member of Price"),
        (types.Enumeration(Right), 8, "expected the value of a member of Right"),
        (types.List(types.Integer()), '["a"]', "expected a JSON array for a list: Expected `int`"),
        (types.List(types.Integer()), "[null]", "Expected `int`, got `null`"),
        (types.List(types.Integer()), 5, "cannot read int 5"),
        (types.List(types.Uuid()), '["x"]', "expected a UUID"),
        (types.List(types.Bytes()), '["xy"]', "expected a JSON array for a list"),
        (types.Json(), 5, "cannot read int 5 from SQLite, expected JSON text"),
        (types.Json(), "{", "cannot read str '{' as a document of JSON"),
        (types.Json(Circle), "[]", "as a document of Circle"),
        (POINT, "1", "expected what a codec of Point decodes"),
    ],
)
def test_form_that_means_nothing_is_an_error(type_: types.StorageType[Any], stored: Any, words: str):
    decode = CODECS.decoder(type_)
    assert decode is not None
    with pytest.raises(ValueError, match="cannot read") as caught:
        decode(stored)
    assert words in str(caught.value)


@pytest.mark.feature("T9")
def test_document_that_looks_like_a_number_stays_text(connection: sqlite3.Connection):
    fill(connection, types.Json(), [5, "5", 1.50, True])
    assert read(connection, types.Json(), "SELECT x FROM t ORDER BY rowid") == [5, "5", 1.5, True]
    assert {row[0] for row in connection.execute("SELECT typeof(x) FROM t")} == {"text"}


@pytest.mark.feature("T2")
def test_casts_to_declared_types_of_text_change_nothing(connection: sqlite3.Connection):
    for type_, text in (
        (types.Timestamp(), "2026-01-02 12:00:00"),
        (types.Numeric(12, 2), "1.10"),
        (types.Uuid(), "1" * 32),
        (types.Json(), "5"),
    ):
        assert connection.execute(f"SELECT CAST(? AS {declared_type(type_)})", (text,)).fetchone() == (text,)


@pytest.mark.feature("T2")
def test_equal_decimals_are_equal_whatever_their_zeros(connection: sqlite3.Connection):
    fill(connection, types.Numeric(), [Decimal("1.0")])
    assert connection.execute("SELECT count(*) FROM t WHERE x = '1.000' AND x > '0.9' AND x < '10'").fetchone() == (1,)
    connection.execute("CREATE UNIQUE INDEX unique_x ON t (x)")
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute("INSERT INTO t VALUES ('1.00')")


IN_LISTS = [kind for kind in KINDS if not kind.startswith(("json", "list"))]


@pytest.mark.feature("T17")
@pytest.mark.parametrize("kind", IN_LISTS)
def test_list_of_values_is_one_parameter(kind: str, connection: sqlite3.Connection):
    type_, strategy = KINDS[kind]

    @given(st.lists(strategy, max_size=6), st.lists(strategy, max_size=3))
    def check(values: list[Any], others: list[Any]) -> None:
        fill(connection, type_, values)
        sought = values[::2] + others
        text = json_parameter(type_)([CODECS.encoder(type_)(value) for value in sought])
        sql = f"SELECT x FROM t WHERE x IN (SELECT {json_item(type_)} FROM json_each(?)) ORDER BY rowid"
        assert read(connection, type_, sql, text) == [value for value in values if value in sought]

    check()


@pytest.mark.feature("T10")
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith("list")])
def test_items_of_a_stored_list_compare_with_encoded_values(kind: str, connection: sqlite3.Connection):
    type_, strategy = KINDS[kind]
    assert isinstance(type_, types.List)
    item = type_.item

    @given(strategy.filter(lambda values: any(value is not None for value in values)), st.data())
    def check(values: list[Any], data: st.DataObject) -> None:
        fill(connection, type_, [values])
        sought = data.draw(st.sampled_from([value for value in values if value is not None]))
        sql = f"SELECT count(*) FROM t WHERE EXISTS (SELECT 1 FROM json_each(x) AS each WHERE {json_item(item, 'each.value')} = ?)"
        assert connection.execute(sql, (CODECS.encoder(item)(sought),)).fetchone() == (1,)

    check()


def test_null_in_a_list_of_values_stays_null():
    assert json.loads(json_parameter(types.Bytes())([b"a", None])) == ["61", None]


def test_infinity_is_found_by_a_list_of_values(connection: sqlite3.Connection):
    fill(connection, types.Float(), [float("inf"), 0.1])
    sql = f"SELECT x FROM t WHERE x IN (SELECT {json_item(types.Float())} FROM json_each(?))"
    assert connection.execute(sql, (json_parameter(types.Float())([float("inf")]),)).fetchall() == [(float("inf"),)]


@pytest.mark.parametrize("kind", KINDS)
def test_declared_type_has_the_affinity_of_what_is_kept(kind: str, connection: sqlite3.Connection):
    type_, _ = KINDS[kind]
    connection.execute("DROP TABLE IF EXISTS t")
    connection.execute(f"CREATE TABLE t (x {declared_type(type_)})")
    for number in ("5", "1.50", "1e3"):
        connection.execute("INSERT INTO t VALUES (?)", (number,))
    kinds = {row[0] for row in connection.execute("SELECT typeof(x) FROM t")}
    is_text = isinstance(CODECS.encoder(type_)(_example(kind)), str)
    assert (kinds == {"text"}) is (is_text or isinstance(type_, types.Bytes))


def _example(kind: str) -> Any:
    type_, _ = KINDS[kind]
    examples = {
        int: 1,
        bool: True,
        float: 1.0,
        str: "ab",
        bytes: b"a",
        Decimal: Decimal(1),
        UUID: UUID(int=1),
        list: [],
    }
    moments = {dt.datetime: UTC_NOON, dt.date: dt.date.min, dt.time: dt.time.min, dt.timedelta: dt.timedelta(1)}
    if isinstance(type_, types.Json):
        return {} if type_.annotation in (None, dict[str, list[Circle]]) else _document(kind)
    if isinstance(type_, types.Timestamp):
        return dt.datetime(2026, 1, 1)
    if isinstance(type_, types.Enumeration):
        return next(iter(type_.python))
    return Point(1, 2) if type_ is POINT else {**examples, **moments}[type_.python]


def _document(kind: str) -> Any:
    return Card("card", "1") if kind == "json by a field" else Circle(1.0)


@pytest.mark.feature("N5")
def test_declared_types_are_recognised():
    kept_as_declared = [
        type_
        for type_, _ in KINDS.values()
        if not isinstance(type_, types.List | types.Json | types.Enumeration | types.Codec)
    ]
    assert [recognised(declared_type(type_)) for type_ in kept_as_declared] == kept_as_declared
    assert [recognised(declared_type(each)) for each in (types.Json(Circle), types.List(types.Uuid()))] == [
        types.Json(),
        types.Json(list),
    ]


@pytest.mark.feature("N5")
@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("int", types.Integer()),
        ("BIGINT UNSIGNED", types.Integer()),
        ("varchar ( 20 )", types.Varchar(20)),
        ("NVARCHAR(20)", types.Text()),
        ("double precision", types.Float()),
        ("decimal(10,2)", types.Numeric(10, 2)),
        ("NUMERIC(10)", types.Numeric(10)),
        ("NUMERIC(5000)", types.Numeric()),
        ("datetime", types.Timestamp()),
        ("timestamp with time zone", types.TimestampTz()),
        ("bool", types.Boolean()),
        ("", None),
        ("GEOMETRY", None),
        ("odd(a)", None),
    ],
)
def test_declared_types_of_other_programs_are_recognised(declared: str, expected: types.StorageType[Any] | None):
    assert recognised(declared) == expected


def test_equal_types_have_the_same_functions():
    for make in (
        lambda: types.Varchar(7),
        lambda: types.Numeric(9, 3),
        lambda: types.List(types.Uuid()),
        lambda: types.Json(Circle),
    ):
        assert CODECS.encoder(make()) is SQLiteCodecs().encoder(make())
        assert CODECS.decoder(make()) is SQLiteCodecs().decoder(make())


@attrs.frozen
class Strange(types.StorageType[int]):
    """A storage type that only another gateway has."""

    @property
    def python(self) -> type[int]:
        return int

    def check(self, value: object) -> int:
        return 0

    def _key(self) -> str:
        return "strange"


@pytest.mark.parametrize("function", [CODECS.encoder, CODECS.decoder, declared_type])
def test_storage_type_of_another_gateway_is_refused(function):
    with pytest.raises(Unsupported, match="does not store Strange"):
        function(Strange())


@pytest.mark.feature("T2")
@given(scaled(2, 12))
def test_scaled_decimals_have_all_their_places(value: Decimal):
    stored = CODECS.encoder(types.Numeric(12, 2))(value)
    assert stored[-3] == "."
