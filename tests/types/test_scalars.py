"""What the storage types of single values take, what they make of it, and what they refuse with which words."""

import datetime as dt
import enum
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapper import types
from mapper.errors import DeclarationError
from mapper.types import decimals
from tests.types import values
from tests.types.values import Level

pytestmark = pytest.mark.feature("T2")

BERLIN = ZoneInfo("Europe/Berlin")


class LongText(str):
    """A subclass, with a `__str__` that is not its text."""

    __slots__ = ()

    def __str__(self) -> str:
        return "something else"


class Moment(dt.datetime):
    """A subclass of datetime."""


class Half(float):
    """A subclass of float."""


class Word(enum.StrEnum):
    """Members that are text."""

    YES = "yes"


TAKEN: list[tuple[types.StorageType[Any], object, object]] = [
    (types.Integer(), 2**63 - 1, 2**63 - 1),
    (types.Integer(), -(2**63), -(2**63)),
    (types.Integer(), Level.HIGH, 2),
    (types.Boolean(), False, False),
    (types.Float(), 2**53, float(2**53)),
    (types.Float(), Half(0.5), 0.5),
    (types.Float(), float("inf"), float("inf")),
    (types.Text(), LongText("ä"), "ä"),
    (types.Text(), Word.YES, "yes"),
    (types.Varchar(3), "äöü", "äöü"),
    (types.Char(3), "äöü", "äöü"),
    (types.Bytes(), bytearray(b"ab"), b"ab"),
    (types.Bytes(), memoryview(b"abcd")[::2], b"ac"),
    (types.Timestamp(), dt.datetime(2026, 10, 25, 2, 30, fold=1), dt.datetime(2026, 10, 25, 2, 30)),
    (types.Timestamp(), Moment(2026, 1, 1), dt.datetime(2026, 1, 1)),
    (types.TimestampTz(), dt.datetime(2026, 7, 1, 12, tzinfo=BERLIN), dt.datetime(2026, 7, 1, 10, tzinfo=dt.UTC)),
    (types.TimestampTz(), dt.datetime.max.replace(tzinfo=dt.UTC), dt.datetime.max.replace(tzinfo=dt.UTC)),
    (types.Date(), dt.date.min, dt.date.min),
    (types.Time(), dt.time(1, fold=1), dt.time(1)),
    (types.Interval(), dt.timedelta(days=-1, microseconds=1), dt.timedelta(days=-1, microseconds=1)),
    (types.Uuid(), UUID(int=7), UUID(int=7)),
]


@pytest.mark.parametrize(("type_", "value", "expected"), TAKEN)
def test_value_becomes_one_of_the_exact_class(type_: types.StorageType[Any], value: object, expected: object):
    checked = type_.check(value)
    assert (checked, type(checked)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("type_", "value", "expected"),
    [
        (types.Numeric(), "1.10", "1.10"),
        (types.Numeric(), "-0.00", "0.00"),
        (types.Numeric(), "-0", "0"),
        (types.Numeric(), "1E+5", "100000"),
        (types.Numeric(), "0E+9", "0"),
        (types.Numeric(), "1E-10", "1E-10"),
        (types.Numeric(), "-1.5", "-1.5"),
        (types.Numeric(12, 2), "1.230", "1.23"),
        (types.Numeric(12, 2), "1", "1.00"),
        (types.Numeric(12, 2), "-0.0", "0.00"),
        (types.Numeric(12, 2), "9999999999.99", "9999999999.99"),
        (types.Numeric(3), "1E+2", "100"),
        (types.Numeric(2, 2), "0.99", "0.99"),
    ],
)
def test_decimal_keeps_its_digits(type_: types.Numeric, value: str, expected: str):
    assert str(type_.check(Decimal(value))) == expected


def test_int_is_taken_for_a_decimal():
    assert (types.Numeric().check(10**40), str(types.Numeric(5, 2).check(3))) == (Decimal(10**40), "3.00")


REFUSED: list[tuple[types.StorageType[Any], object, str]] = [
    (types.Integer(), 2**63, "found int 9223372036854775808, expected an int of 64 bits"),
    (types.Integer(), -(2**63) - 1, "expected an int of 64 bits"),
    (types.Integer(), True, "found bool True, expected an int"),
    (types.Integer(), "1", "found str '1', expected an int"),
    (types.Integer(), 1.0, "found float 1.0, expected an int"),
    (types.Integer(), None, "found None, expected an int"),
    (types.Boolean(), 1, "found int 1, expected a bool"),
    (types.Boolean(), None, "found None, expected a bool"),
    (types.Float(), 2**53 + 1, "expected a float, or an int that a float represents exactly"),
    (types.Float(), 10**400, "expected a float, or an int that a float represents exactly"),
    (types.Float(), True, "found bool True, expected a float"),
    (types.Float(), Decimal(1), "found Decimal Decimal('1'), expected a float"),
    (types.Text(), b"a", "found bytes b'a', expected a str"),
    (types.Text(), "a\x00b", "expected a str without NUL characters"),
    (types.Text(), "\ud800", "expected a str without lone surrogates"),
    (types.Varchar(3), "abcd", "found str 'abcd', expected a str of at most 3 characters, not 4"),
    (types.Varchar(3), "äöüß", "expected a str of at most 3 characters, not 4"),
    (types.Varchar(3), "\x00", "expected a str of at most 3 characters without NUL"),
    (types.Char(2), "a", "found str 'a', expected a str of exactly 2 characters, not 1"),
    (types.Char(2), 12, "found int 12, expected a str of exactly 2 characters"),
    (types.Bytes(), "a", "found str 'a', expected bytes"),
    (types.Numeric(), 1.1, "found float 1.1, expected a Decimal"),
    (types.Numeric(), True, "found bool True, expected a Decimal"),
    (types.Numeric(), Decimal("NaN"), "expected a finite Decimal"),
    (types.Numeric(), Decimal("sNaN"), "expected a finite Decimal"),
    (types.Numeric(), Decimal("-Infinity"), "expected a finite Decimal"),
    (types.Numeric(), Decimal("1E+131072"), "expected a finite Decimal of at most 131072 digits before"),
    (types.Numeric(), Decimal("1E-16384"), "16383 after the point"),
    (
        types.Numeric(12, 2),
        Decimal("1.234"),
        "found Decimal Decimal('1.234'), expected a Decimal of at most 10 digits before and 2 after",
    ),
    (
        types.Numeric(12, 2),
        Decimal("10000000000"),
        "expected a Decimal of at most 10 digits before and 2 after the point",
    ),
    (types.Numeric(12, 2), Decimal("1E+999999"), "expected a Decimal of at most 10 digits before"),
    (types.Numeric(12, 2), Decimal("NaN"), "expected a finite Decimal"),
    (types.Timestamp(), dt.datetime(2026, 1, 1, tzinfo=dt.UTC), "expected a naive datetime"),
    (types.Timestamp(), dt.date(2026, 1, 1), "found date datetime.date(2026, 1, 1), expected a naive datetime"),
    (types.TimestampTz(), dt.datetime(2026, 1, 1), "expected an aware datetime"),
    (types.TimestampTz(), "2026-01-01", "found str '2026-01-01', expected an aware datetime"),
    (
        types.TimestampTz(),
        dt.datetime.max.replace(tzinfo=dt.timezone(-dt.timedelta(hours=1))),
        "expected an instant of the years 1 to 9999",
    ),
    (types.Date(), dt.datetime(2026, 1, 1), "expected a date without a time"),
    (types.Date(), "2026-01-01", "expected a date"),
    (types.Time(), dt.time(1, tzinfo=dt.UTC), "expected a naive time"),
    (types.Time(), 5, "found int 5, expected a naive time"),
    (types.Interval(), dt.timedelta.max, "expected a timedelta whose microseconds fit 64 bits"),
    (types.Interval(), 5, "found int 5, expected a timedelta"),
    (types.Uuid(), str(UUID(int=7)), "expected a UUID"),
]


@pytest.mark.parametrize(("type_", "value", "words"), REFUSED)
def test_value_that_cannot_be_kept_is_refused_with_the_reason(type_: types.StorageType[Any], value: object, words: str):
    with pytest.raises(types.Misfit) as caught:
        type_.check(value)
    assert words in caught.value.message


def test_misfit_tells_the_next_step_and_what_was_expected_apart():
    with pytest.raises(types.Misfit) as caught:
        types.Numeric().check(1.5)
    misfit = caught.value
    assert (misfit.expected, str(misfit)) == ("a Decimal", f"{misfit.message}\nHINT: {misfit.hint}")


def test_int_too_long_for_a_repr_is_refused_like_any_other():
    with pytest.raises(types.Misfit, match=r"found int \(which has no repr\), expected an int of 64 bits"):
        types.Integer().check(10**5000)


def test_long_value_is_shortened_in_the_message():
    with pytest.raises(types.Misfit) as caught:
        types.Integer().check("x" * 1000)
    assert len(str(caught.value)) < 200


@pytest.mark.feature("T3")
@pytest.mark.parametrize(
    "make",
    [
        lambda: types.Varchar(0),
        lambda: types.Varchar(True),
        lambda: types.Char(-1),
        lambda: types.Numeric(scale=2),
        lambda: types.Numeric(0),
        lambda: types.Numeric(3, 4),
        lambda: types.Numeric(1001, 2),
    ],
)
def test_type_with_impossible_sizes_is_refused(make):
    with pytest.raises(DeclarationError):
        make()


@pytest.mark.feature("T3")
@given(st.text(max_size=12), st.integers(1, 10))
def test_varchar_counts_characters(text: str, length: int):
    fits = len(text) <= length and "\x00" not in text and not any(0xD800 <= ord(each) < 0xE000 for each in text)
    try:
        assert types.Varchar(length).check(text) == text
    except types.Misfit:
        assert not fits
    else:
        assert fits


@given(values.zoned)
def test_aware_datetime_keeps_its_instant_in_every_zone(moment: dt.datetime):
    checked = types.TimestampTz().check(moment)
    assert (checked - moment, checked.tzinfo, checked.fold) == (dt.timedelta(0), dt.UTC, 0)


@given(values.decimals)
def test_decimal_without_precision_reads_as_it_was(number: Decimal):
    checked = types.Numeric().check(number)
    assert (checked, Decimal(decimals.text(checked)).as_tuple()) == (number, checked.as_tuple())


@given(values.decimals, st.integers(1, 30), st.data())
def test_numeric_loses_no_digit(number: Decimal, precision: int, data: st.DataObject):
    type_ = types.Numeric(precision, data.draw(st.integers(0, precision)))
    try:
        checked = type_.check(number)
    except types.Misfit:
        return
    assert checked == number
    assert -checked.as_tuple().exponent == type_.scale  # type: ignore[operator]  # finite
    assert abs(checked) < Decimal(10) ** (precision - (type_.scale or 0))


@given(values.decimals, values.decimals)
def test_sum_difference_and_product_are_exact(left: Decimal, right: Decimal):
    left, right = types.Numeric().check(left), types.Numeric().check(right)
    assert decimals.subtract(decimals.add(left, right), right) == left
    assert decimals.total([left, right, left]) == decimals.add(decimals.multiply(left, Decimal(2)), right)
    if right:
        assert decimals.divide(decimals.multiply(left, right), right) == left


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("1", "3", "0.3333333333333333333333333333"),
        ("2", "3", "0.6666666666666666666666666667"),
        ("1.10", "2", "0.55"),
        ("1", "1024", "0.0009765625"),
        ("1" * 40, "1", "1" * 40),
        ("3.30", "2", "1.65"),
    ],
)
def test_quotient_is_exact_or_has_28_digits(left: str, right: str, expected: str):
    assert decimals.text(decimals.divide(Decimal(left), Decimal(right))) == expected


def test_division_by_zero_is_an_error():
    with pytest.raises(ZeroDivisionError, match=r"division of 1\.5 by zero"):
        decimals.divide(Decimal("1.5"), Decimal("0.00"))


@pytest.mark.parametrize(("bits", "fits", "too_large"), [(16, 2**15 - 1, 2**15), (32, -(2**31), -(2**31) - 1)])
def test_int_of_fewer_bits_refuses_what_does_not_fit(bits: int, fits: int, too_large: int):
    assert types.Int(bits).check(fits) == fits
    with pytest.raises(types.Misfit, match=f"an int of {bits} bits"):
        types.Int(bits).check(too_large)


def test_int_of_odd_bits_is_refused():
    with pytest.raises(DeclarationError, match="expected 16, 32 or 64 bits"):
        types.Int(31)


AS_IT_IS = [each for each in (types.Integer(), types.Boolean(), types.Float(), types.Text()) if each.as_it_is]
ANYTHING = st.one_of(
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.booleans(),
    st.text(st.characters(codec=None), max_size=6),
    st.sampled_from(
        ["\x00", "a\x00b", "\ud800", LongText("x"), Half(1.5), Level.HIGH, None, 2**63, -(2**63), 2**63 - 1]
    ),
)


@pytest.mark.parametrize("type_", AS_IT_IS, ids=repr)
@given(value=ANYTHING)
def test_value_that_is_taken_as_it_is_is_what_check_returns(type_: types.StorageType[Any], value: Any):
    if eval(type_.as_it_is.format("value"), {"value": value}):  # type: ignore[union-attr]  # those that have one
        assert type_.check(value) is value
