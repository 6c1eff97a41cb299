"""The same statements on the memory gateway and on SQLite itself, written by hand for each."""

import asyncio
import sqlite3
from collections.abc import Sequence
from random import Random
from typing import Any, TypeAlias

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateways.memory import MemoryGateway
from mapper import functions as fn
from mapper.columns import Column, KeyAction, column
from mapper.errors import ConstraintViolation, StoreError
from mapper.expressions import Expr, Order
from mapper.frames import Distance, Frame
from mapper.relation import Relation
from mapper.selecting import select
from mapper.terms import literal
from tests.memory.shop import create, delete, insert, rows, run, update

Both: TypeAlias = tuple[Expr[Any, Any], str]
"""An expression, and its text for SQLite."""


@attrs.frozen
class Thing:
    a: int | None = None


class Things(Relation[Thing]):
    id: Column[int] = column(primary_key=True)
    a: Column[int | None]
    b: Column[int | None]
    f: Column[float | None]
    t: Column[str | None]


SMALL = range(-3, 4)
TEXTS = ["", "a", "b", "ab", "A", "ä", "a%", "z"]
FLOATS = [-1.5, -0.5, 0.0, 0.25, 2.0]

SEEDS = st.integers(0, 2**32 - 1)


class Maker:
    """Makes the same at random in both languages."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.choice = self.random.choice

    def rows(self) -> list[tuple[Any, ...]]:
        """Rows of things, with many equal values and NULLs."""
        one = self.choice
        return [
            (one([None, *SMALL]), one([None, *SMALL]), one([None, *FLOATS]), one([None, *TEXTS]))
            for _ in range(self.random.randrange(12))
        ]

    def number(self, depth: int = 2) -> Both:
        """A number."""
        if depth == 0 or self.random.random() < 0.4:
            value = self.choice(SMALL)
            return self.choice(
                [(Things.id, "id"), (Things.a, "a"), (Things.b, "b"), (literal(value), f"(0 + {value})")]
            )
        (x, left), (y, right) = self.number(depth - 1), self.number(depth - 1)
        condition, text = self.condition(depth - 1)
        return self.choice(
            [
                (x + y, f"({left} + {right})"),
                (x - y, f"({left} - {right})"),
                (x * y, f"({left} * {right})"),
                (x % y, f"({left} % {right})"),
                (fn.abs(x), f"abs({left})"),
                (fn.coalesce(x, y), f"coalesce({left}, {right})"),
                (fn.nullif(x, y), f"nullif({left}, {right})"),
                (fn.case((condition, x), else_=y), f"(case when {text} then {left} else {right} end)"),
            ]
        )

    def comparison(self, depth: int) -> Both:
        """A condition that is not made of others."""
        (x, left), (y, right), (z, high) = self.number(depth), self.number(depth), self.number(depth)
        items = [self.choice(SMALL) for _ in range(self.random.randrange(8))]
        limit, text = self.choice(FLOATS), self.choice(TEXTS)
        return self.choice(
            [
                (x == y, f"{left} = {right}"),
                (x != y, f"{left} <> {right}"),
                (x < y, f"{left} < {right}"),
                (x <= y, f"{left} <= {right}"),
                (x > y, f"{left} > {right}"),
                (x >= y, f"{left} >= {right}"),
                (x.is_not_distinct_from(y), f"{left} is {right}"),
                (x.is_distinct_from(y), f"{left} is not {right}"),
                (x.is_null(), f"{left} is null"),
                (x.is_not_null(), f"{left} is not null"),
                (x.between(y, z), f"{left} between {right} and {high}"),
                (x.in_(items), f"{left} in ({', '.join(map(str, items))})"),
                (Things.f < limit, f"f < {limit!r}"),
                (Things.t >= text, f"t >= '{text}'"),
            ]
        )

    def condition(self, depth: int = 2) -> Both:
        """A condition."""
        kind = self.choice(["and", "or", "not", "leaf"]) if depth else "leaf"
        if kind == "leaf":
            return self.comparison(max(depth - 1, 0))
        (x, left), (y, right) = self.condition(depth - 1), self.condition(depth - 1)
        if kind == "not":
            return ~x, f"(not ({left}))"
        return (x & y if kind == "and" else x | y), f"(({left}) {kind} ({right}))"

    def order(self) -> tuple[Order[Any], str]:
        """A term of an order."""
        item, text = self.choice([self.number(1), (Things.t, "t"), (Things.f, "f")])
        descending, last = self.choice([True, False]), self.choice([True, False])
        order = Order(item, descending=descending, nulls_are_last=last)
        return order, f"{text} {'desc' if descending else 'asc'} nulls {'last' if last else 'first'}"

    def orders(self, least: int) -> tuple[list[Order[Any]], list[str]]:
        """Terms of an order, and their texts."""
        found = [self.order() for _ in range(self.random.randint(least, 3))]
        return [each for each, _ in found], [text for _, text in found]

    def frame(self) -> Frame | None:
        """A frame, or none."""
        start, end = self.choice([None, -2, -1, 0, 1]), self.choice([None, -1, 0, 1, 2])
        ordered = start is None or end is None or start <= end
        return Frame(start, end) if ordered and self.choice([True, True, False]) else None


def both(content: Sequence[tuple[Any, ...]], query: Any, text: str) -> tuple[list[Any], list[Any]]:
    """Return what the memory gateway and SQLite give."""

    async def in_memory() -> list[Any]:
        gateway = MemoryGateway()
        await create(gateway, Things)
        await insert(gateway, Things, *[dict(zip("abft", row, strict=True)) for row in content])
        return await rows(gateway, query)

    database = sqlite3.connect(":memory:")
    database.execute("create table things (id integer primary key, a integer, b integer, f real, t text)")
    database.executemany("insert into things (a, b, f, t) values (?, ?, ?, ?)", content)
    expected = database.execute(text).fetchall()
    database.close()
    return asyncio.run(in_memory()), expected


def one(expected: list[tuple[Any]]) -> list[Any]:
    return [row[0] for row in expected]


def as_bool(value: Any) -> bool | None:
    return None if value is None else bool(value)


@given(SEEDS)
def test_logic_is_that_of_sqlite(seed: int):
    maker = Maker(seed)
    condition, text = maker.condition()
    query = select(condition).from_(Things).order_by(Things.id)
    found, expected = both(maker.rows(), query, f"select {text} from things order by id")
    assert found == [as_bool(each) for each in one(expected)], text


@given(SEEDS)
def test_filter_order_and_limit_are_those_of_sqlite(seed: int):
    maker = Maker(seed)
    condition, where = maker.condition(3)
    terms, texts = maker.orders(0)
    limit, offset = maker.choice([-1, 0, 1, 5]), maker.choice([0, 0, 3])
    query = select(Things.id).where(condition).order_by(*terms, Things.id).offset(offset)
    text = f"select id from things where {where} order by {', '.join([*texts, 'id'])} limit {limit} offset {offset}"
    found, expected = both(maker.rows(), query if limit < 0 else query.limit(limit), text)
    assert found == one(expected), text


@given(SEEDS)
def test_groups_are_those_of_sqlite(seed: int):
    maker = Maker(seed)
    (key, by), (item, value), (condition, where) = maker.number(), maker.number(), maker.condition(1)
    query = (
        select(
            key,
            fn.count(),
            fn.count(item, distinct=True),
            fn.sum(item),
            fn.avg(item, filter=condition),
            fn.min(Things.t),
            fn.max(item),
        )
        .from_(Things)
        .group_by(key)
        .order_by(key)
    )
    text = (
        f"select {by} as k, count(*), count(distinct {value}), sum({value}), avg({value}) filter (where {where}), "
        f"min(t), max({value}) from things group by 1 order by 1 asc nulls last"
    )
    found, expected = both(maker.rows(), query, text)
    assert found == expected, text


def frame_text(frame: Frame | None) -> str:
    if frame is None:
        return ""

    def bound(offset: Distance | None, unbounded: str) -> str:
        if offset is None:
            return f"unbounded {unbounded}"
        assert isinstance(offset, int)
        return f"{-offset} preceding" if offset < 0 else f"{offset} following"

    return f"rows between {bound(frame.start, 'preceding')} and {bound(frame.end, 'following')}"


@given(SEEDS)
def test_windows_are_those_of_sqlite(seed: int):
    maker = Maker(seed)
    by, by_text = maker.choice([([Things.b], "partition by b "), ([], "")])
    order, texts = maker.orders(1)
    (item, value), frame = maker.number(1), maker.frame()
    whole: dict[str, Any] = {"partition_by": by, "order_by": [*order, Things.id.asc()]}
    loose: dict[str, Any] = {"partition_by": by, "order_by": order}
    query = select(
        fn.row_number().over(**whole),
        fn.rank().over(**loose),
        fn.dense_rank().over(**loose),
        fn.lag(item, 2).over(**whole),
        fn.lead(item).over(**whole),
        fn.sum(item).over(**whole, frame=frame),
        fn.count(item).over(**loose),
        fn.min(item).over(**whole, frame=frame),
        fn.first_value(Things.id).over(**whole, frame=frame),
        fn.last_value(Things.id).over(**whole, frame=frame),
    )
    slack, tight = f"({by_text}order by {', '.join(texts)})", f"({by_text}order by {', '.join(texts)}, id)"
    framed = f"({by_text}order by {', '.join(texts)}, id {frame_text(frame)})"
    text = (
        f"select row_number() over {tight}, rank() over {slack}, dense_rank() over {slack}, "
        f"lag({value}, 2) over {tight}, lead({value}) over {tight}, sum({value}) over {framed}, "
        f"count({value}) over {slack}, min({value}) over {framed}, first_value(id) over {framed}, "
        f"last_value(id) over {framed} from things order by id"
    )
    found, expected = both(maker.rows(), query.from_(Things).order_by(Things.id), text)
    assert found == expected, text


# -- references
# ------------------------------------------------------------------------------------------------------------

ACTIONS: list[KeyAction] = ["no action", "restrict", "cascade", "set null", "set default"]


def related(on_delete: KeyAction, on_update_key: KeyAction) -> tuple[Any, Any]:
    class Parents(Relation[Thing]):
        id: Column[int] = column(primary_key=True)
        a: Column[int | None] = column(references=lambda: Parents.id, on_delete=on_delete, on_update_key=on_update_key)

    class Children(Relation[Thing]):
        id: Column[int] = column(primary_key=True)
        a: Column[int | None] = column(
            references=lambda: Parents.id, on_delete=on_delete, on_update_key=on_update_key, server_default="1"
        )

    return Parents, Children


KEY = st.integers(1, 4)
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("parent"), KEY, st.none() | KEY),
        st.tuples(st.just("child"), KEY, st.none() | KEY),
        st.tuples(st.just("delete"), KEY, st.none()),
        st.tuples(st.just("delete all"), KEY, st.none()),
        st.tuples(st.just("key"), KEY, KEY),
        st.tuples(st.just("refer"), KEY, st.none() | KEY),
    ),
    max_size=12,
)


@given(st.sampled_from(ACTIONS), st.sampled_from(ACTIONS), CHANGES)
def test_references_act_as_those_of_sqlite(
    on_delete: KeyAction, on_update_key: KeyAction, changes: list[tuple[str, int, int | None]]
):
    parents, children = related(on_delete, on_update_key)
    database = sqlite3.connect(":memory:", isolation_level=None)
    database.execute("pragma foreign_keys = on")
    actions = f"on delete {on_delete} on update {on_update_key}"
    database.execute(f"create table parents (id integer primary key, a integer references parents (id) {actions})")
    database.execute(
        f"create table children (id integer primary key, a integer default 1 references parents (id) {actions})"
    )

    async def in_memory(gateway: MemoryGateway, kind: str, key: int, other: int | None) -> None:
        match kind:
            case "parent":
                await insert(gateway, parents, {"id": key, "a": other})
            case "child":
                await insert(gateway, children, {"id": key, "a": other})
            case "delete":
                await run(gateway, delete(parents, parents.id == key))
            case "delete all":
                await run(gateway, delete(parents, parents.id >= key))
            case "key":
                await run(gateway, update(parents, parents.id.to(other), where=[parents.id == key]))
            case _:
                await run(gateway, update(children, children.a.to(other), where=[children.id == key]))

    def in_sqlite(kind: str, key: int, other: int | None) -> None:
        texts = {
            "parent": ("insert into parents values (?1, ?2)", (key, other)),
            "child": ("insert into children values (?1, ?2)", (key, other)),
            "delete": ("delete from parents where id = ?", (key,)),
            "delete all": ("delete from parents where id >= ?", (key,)),
            "key": ("update parents set id = ?2 where id = ?1", (key, other)),
        }
        database.execute(*texts.get(kind, ("update children set a = ?2 where id = ?1", (key, other))))

    async def compare() -> None:
        gateway = MemoryGateway()
        await create(gateway, parents, children)
        for change in changes:
            expected = refused = False
            try:
                in_sqlite(*change)
            except sqlite3.IntegrityError:
                expected = True
            try:
                await in_memory(gateway, *change)
            except ConstraintViolation:
                refused = True
            assert refused == expected, change
            for relation, name in ((parents, "parents"), (children, "children")):
                found = await rows(gateway, select(relation.id, relation.a).order_by(relation.id))
                assert found == database.execute(f"select * from {name} order by id").fetchall(), change

    try:
        asyncio.run(compare())
    finally:
        database.close()


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63)])
def test_overflow_that_sqlite_makes_a_float_of_is_an_error(value: int):
    async def compute() -> None:
        gateway = MemoryGateway()
        await create(gateway, Things)
        await insert(gateway, Things, {"a": value})
        await rows(gateway, select(Things.a * 2))

    with pytest.raises(StoreError, match="overflow"):
        asyncio.run(compute())
