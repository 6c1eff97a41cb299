"""A hit gives the values of a miss, in their types, for every type of column; or there is none."""

import datetime as dt
from decimal import Decimal
from ipaddress import ip_address, ip_interface, ip_network
from math import inf, nan
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateways.memory import MemoryGateway
from gateways.postgres import PostgresGateway
from gateways.sqlite import SQLiteGateway
from mapper import select
from mapper.cache.rows import Unkept, packed, unpacked
from mapper.gateway import Gateway
from mapper.operations import OutputColumn, RawSql
from mapper.types import Numeric, TimestampTz
from tests.cache.shop import Watched
from tests.postgres.kinds import KINDS, Holder, relation_of, repository_of

PORTABLE = [
    name
    for name, kind in KINDS.items()
    if type(kind.storage).__module__.startswith("mapper.types") and name not in {"list of ranges", "list of domain"}
]
NOT_KEPT = [name for name in KINDS if "range" in name and name != "multirange of moments"]
"""Kinds whose values the driver gives in classes of its own that have no exact form as bytes."""


def shown(value: Any) -> Any:
    """Return what tells a value from every other, its types and those within it included."""
    if isinstance(value, list | tuple):
        return (type(value), [shown(each) for each in value])
    if isinstance(value, dict):
        return (dict, [(key, shown(each)) for key, each in value.items()])
    if isinstance(value, UUID):
        return UUID, value.bytes  # drivers have a faster class of their own, which is equal
    return (type(value), repr(value))


async def _require_alike(name: str, gateway: Gateway, rows: int) -> None:
    relation = relation_of(KINDS[name])
    kept = repository_of(relation)
    watched = Watched()
    repository = kept(watched.cache.wrap(gateway))
    await repository.push_schema()
    count = 0
    for place, edge in enumerate([*KINDS[name].edges, None]):
        changes = kept.change()
        changes.inserts(relation).push(Holder(edge), relation.place.to(place))
        try:
            await changes.commit(repository)
        except (ValueError, TypeError):  # the store cannot keep this one exactly
            continue
        count += 1
    query = select(relation.value).order_by(relation.place)
    watched.taken()
    miss, hit = await query.all(repository), await query.all(repository)
    assert len(miss) == count >= rows
    assert [shown(each) for each in hit] == [shown(each) for each in miss]
    assert (("discarded", "type") if name in NOT_KEPT else ("hit", "")) in watched.taken()
    for each in hit:
        if isinstance(each, list):
            each.append("mine")
        if isinstance(each, dict):
            each["mine"] = 1
    assert [shown(each) for each in await query.all(repository)] == [shown(each) for each in miss]


@pytest.mark.feature("M1", "C5")
@pytest.mark.parametrize("name", KINDS)
async def test_hit_equals_miss_on_postgres(name: str, postgres_url: str):
    async with PostgresGateway(postgres_url) as gateway:
        await gateway.execute(RawSql('CREATE SCHEMA IF NOT EXISTS "things"'))
        await _require_alike(name, gateway, len(KINDS[name].edges))


@pytest.mark.parametrize("name", PORTABLE)
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_hit_equals_miss_elsewhere(name: str, kind: str, tmp_path: Path):
    async with MemoryGateway() if kind == "memory" else SQLiteGateway(tmp_path / "held.db") as gateway:
        await _require_alike(name, gateway, 1)


SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**200), 2**200),
    st.floats(),
    st.text(st.characters(codec=None)),
    st.binary(),
    st.decimals(),
    st.dates(),
    st.times(),
    st.datetimes(timezones=st.none() | st.just(dt.UTC) | st.timezones() | st.just(dt.timezone(dt.timedelta(hours=2)))),
    st.timedeltas(),
    st.uuids(),
    st.ip_addresses(),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text() | st.integers(), inner)
        | st.sets(st.integers())
    ),
    max_leaves=10,
)


@given(st.lists(st.tuples(VALUES, VALUES)))
def test_rows_come_back_exactly_or_are_refused(rows: list[tuple[Any, ...]]):
    try:
        data = packed(rows)
    except Unkept:
        return
    assert shown(unpacked(data)) == shown(rows)


OUTPUTS = [
    OutputColumn("a", TimestampTz(), True),
    OutputColumn("b", Numeric(), True),
]


@given(st.lists(st.tuples(VALUES, VALUES)))
def test_rows_of_declared_columns_come_back_exactly_or_are_refused(rows: list[tuple[Any, ...]]):
    try:
        data = packed(rows, OUTPUTS)
    except Unkept:
        return
    assert shown(unpacked(data, OUTPUTS)) == shown(rows)


KEPT = [
    2**64,
    -(2**63) - 1,
    nan,
    -inf,
    -0.0,
    Decimal("-0.00"),
    Decimal("sNaN"),
    Decimal("1E+30"),
    dt.datetime(1, 1, 1),
    dt.datetime(9999, 12, 31, 23, 59, 59, 999_999, dt.UTC),
    dt.timedelta.min,
    dt.time.max,
    ip_address("::1"),
    ip_interface("10.0.0.1/8"),
    ip_network("fe80::/10"),
    uuid4(),
    (1, [2, (3,)], {"a": (b"",)}),
]


@pytest.mark.parametrize("value", KEPT, ids=[str(each) for each in range(len(KEPT))])
def test_value_without_a_form_in_messagepack_is_kept_nevertheless(value: Any):
    assert shown(unpacked(packed([(value,)]))) == shown([(value,)])


@pytest.mark.parametrize(
    "value",
    [
        dt.datetime(2024, 6, 1, tzinfo=ZoneInfo("Europe/Rome")),
        dt.datetime(2024, 10, 27, 2, 30, fold=1),
        {1: 2},
        {1},
        "\ud800",
        object(),
        bytearray(b""),
    ],
    ids=["zone", "fold", "keys", "set", "surrogate", "object", "bytearray"],
)
def test_value_without_an_exact_form_is_refused(value: Any):
    with pytest.raises(Unkept):
        packed([(value,)])


def test_values_that_are_nested_too_deep_are_refused():
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(Unkept):
        packed([(deep,)])
