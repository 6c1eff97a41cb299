"""
Random expressions, compiled and run on SQLite, against an evaluator in Python.

The evaluator is a few lines of three-valued logic over one row; an expression and its value are drawn together, so that
there is no second compiler here.
"""

import sqlite3
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from mapper import functions as fn
from mapper.expressions import Expr
from mapper.selecting import select
from mapper.terms import literal
from tests.sql.blog import Posts, compiled, database

pytestmark = pytest.mark.feature("T17")

Row = dict[str, Any]


@frozen(eq=False)
class Drawn:
    """An expression, and what its value is over a row."""

    expression: Any
    value: Callable[[Row], Any]

    def __repr__(self) -> str:
        return repr(self.expression)


TEXTS = st.text(alphabet="aA%_*?[]\\é\U0010ffff", max_size=4)
INTS = st.integers(-5, 5)
DECIMALS = st.decimals(-5, 5, places=1)

ROWS = st.fixed_dictionaries(
    {
        "title": TEXTS,
        "body": st.none() | TEXTS,
        "visits": INTS,
        "author_id": INTS,
        "price": st.none() | DECIMALS,
        "public": st.booleans(),
    }
)


def column(name: str) -> Drawn:
    return Drawn(getattr(Posts, name), lambda row: row[name])


def constant(value: Any) -> Drawn:
    return Drawn(literal(value), lambda row: value)


def strict(function: Callable[..., Any]) -> Callable[..., Callable[[Row], Any]]:
    """NULL where an operand is NULL."""

    def lifted(*operands: Drawn) -> Callable[[Row], Any]:
        def value(row: Row) -> Any:
            values = [each.value(row) for each in operands]
            return None if None in values else function(*values)

        return value

    return lifted


def binary(function: Callable[[Any, Any], Any]) -> Callable[[Drawn, Drawn], Drawn]:
    return lambda left, right: Drawn(function(left.expression, right.expression), strict(function)(left, right))


def modulo(left: int, right: int) -> int | None:
    if not right:
        return None
    rest = abs(left) % abs(right)
    return -rest if left < 0 else rest


def remainder(left: Drawn, right: Drawn) -> Drawn:
    return Drawn(left.expression % right.expression, strict(modulo)(left, right))


def matches(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    first, rest = pattern[0], pattern[1:]
    if first == "%":
        return any(matches(rest, text[each:]) for each in range(len(text) + 1))
    if first == "\\":
        return bool(rest) and text[:1] == rest[0] and matches(rest[1:], text[1:])
    return bool(text) and (first in ("_", text[0])) and matches(rest, text[1:])


def matching(kind: str, function: Callable[[str, str], bool]) -> Callable[[Drawn, Any], Drawn]:
    def made(text: Drawn, part: Any) -> Drawn:
        operand = part if isinstance(part, Drawn) else constant(part)
        given_ = part.expression if isinstance(part, Drawn) else part
        return Drawn(getattr(text.expression, kind)(given_), strict(function)(text, operand))

    return made


ints = st.recursive(
    st.sampled_from([column("visits"), column("author_id")]) | INTS.map(constant),
    lambda inner: st.one_of(
        *[
            st.builds(binary(each), inner, inner)
            for each in (lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b)
        ],
        st.builds(remainder, inner, inner),
        st.builds(lambda each: Drawn(fn.abs(each.expression), strict(abs)(each)), inner),
    ),
    max_leaves=6,
)
decimals = st.recursive(
    st.just(column("price")) | DECIMALS.map(constant),
    lambda inner: st.one_of(
        *[
            st.builds(binary(each), inner, inner)
            for each in (lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b)
        ],
        st.builds(
            lambda each: Drawn(
                fn.coalesce(each.expression, Decimal("0.5")),
                lambda row: Decimal("0.5") if each.value(row) is None else each.value(row),
            ),
            inner,
        ),
    ),
    max_leaves=4,
)
texts = st.recursive(
    st.sampled_from([column("title"), column("body")]) | TEXTS.map(constant),
    lambda inner: st.builds(binary(lambda a, b: a + b), inner, inner),
    max_leaves=3,
)


def compared(operands: st.SearchStrategy[Drawn]) -> st.SearchStrategy[Drawn]:
    functions: list[Callable[[Any, Any], Any]] = [
        lambda a, b: a == b,
        lambda a, b: a != b,
        lambda a, b: a < b,
        lambda a, b: a <= b,
        lambda a, b: a > b,
        lambda a, b: a >= b,
    ]
    return st.one_of(
        *[st.builds(binary(each), operands, operands) for each in functions],
        st.builds(distinct, operands, operands),
        st.builds(null, operands),
    )


def distinct(left: Drawn, right: Drawn) -> Drawn:
    def value(row: Row) -> bool:
        return bool(left.value(row) != right.value(row))

    return Drawn(left.expression.is_distinct_from(right.expression), value)


def null(operand: Drawn) -> Drawn:
    return Drawn(operand.expression == None, lambda row: operand.value(row) is None)


def contained(item: Drawn, values: list[Any], negated: bool) -> Drawn:
    def value(row: Row) -> Any:
        found = item.value(row)
        if negated:
            return found not in values
        if found is None and None not in values:
            return None if values else False
        return found in values

    return Drawn(item.expression.not_in(values) if negated else item.expression.in_(values), value)


def lists(items: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.none() | items, max_size=3)


PARTS = TEXTS | texts

conditions: st.SearchStrategy[Drawn] = st.recursive(
    st.one_of(
        st.just(column("public")),
        compared(ints),
        compared(decimals),
        compared(texts),
        st.builds(contained, st.just(column("body")), lists(TEXTS), st.booleans()),
        st.builds(contained, ints, lists(INTS), st.booleans()),
        st.builds(contained, decimals, lists(DECIMALS), st.booleans()),
        st.builds(matching("like", lambda text, pattern: matches(pattern, text)), texts, PARTS),
        st.builds(matching("starts_with", str.startswith), texts, PARTS),
        st.builds(matching("ends_with", str.endswith), texts, PARTS),
        st.builds(matching("contains", lambda text, part: part in text), texts, PARTS),
    ),
    lambda inner: st.one_of(
        st.builds(lambda a, b: Drawn(a.expression & b.expression, conjunction(a, b)), inner, inner),
        st.builds(lambda a, b: Drawn(a.expression | b.expression, disjunction(a, b)), inner, inner),
        st.builds(lambda a: Drawn(~a.expression, strict(lambda value: not value)(a)), inner),
    ),
    max_leaves=5,
)


def conjunction(left: Drawn, right: Drawn) -> Callable[[Row], bool | None]:
    def value(row: Row) -> bool | None:
        both = {left.value(row), right.value(row)}
        return False if False in both else None if None in both else True

    return value


def disjunction(left: Drawn, right: Drawn) -> Callable[[Row], bool | None]:
    def value(row: Row) -> bool | None:
        both = {left.value(row), right.value(row)}
        return True if True in both else None if None in both else False

    return value


@pytest.fixture(scope="module")
def store() -> Iterator[sqlite3.Connection]:
    connection = database()
    connection.execute(
        'CREATE TABLE "posts" ("title" TEXT, "content" TEXT, "visits" INTEGER, "author_id" INTEGER,'
        ' "price" DECIMAL_TEXT COLLATE decimal, "public" BOOLEAN)'
    )
    yield connection
    connection.close()


def evaluated(store: sqlite3.Connection, expression: Expr[Any, Any], row: Row) -> Any:
    store.execute("DELETE FROM posts")
    price = None if row["price"] is None else str(row["price"])
    values = (row["title"], row["body"], row["visits"], row["author_id"], price, row["public"])
    store.execute("INSERT INTO posts VALUES (?, ?, ?, ?, ?, ?)", values)
    text, parameters = compiled(select(expression).from_(Posts))
    return store.execute(text, parameters).fetchone()[0]


@given(conditions, ROWS)
def test_conditions_are_those_of_three_valued_logic(store: sqlite3.Connection, drawn: Drawn, row: Row):
    found = evaluated(store, drawn.expression, row)
    assert (None if found is None else bool(found)) == drawn.value(row)


@given(ints, ROWS)
def test_integers_are_those_of_python(store: sqlite3.Connection, drawn: Drawn, row: Row):
    assert evaluated(store, drawn.expression, row) == drawn.value(row)


@given(decimals, ROWS)
def test_decimals_are_exact(store: sqlite3.Connection, drawn: Drawn, row: Row):
    found = evaluated(store, drawn.expression, row)
    assert (None if found is None else Decimal(found)) == drawn.value(row)


@given(conditions, conditions)
def test_conditions_of_one_key_have_one_text(left: Drawn, right: Drawn):
    one, other = (select(Posts.id).where(each.expression) for each in (left, right))
    assert (one.key == other.key) is (compiled(one)[0] == compiled(other)[0]) or one.key != other.key


@given(
    st.permutations(["title", "body", "visits"]),
    st.lists(st.booleans(), min_size=3, max_size=3),
    st.lists(ROWS, max_size=6),
)
def test_order_puts_nulls_last_ascending_and_first_descending(
    store: sqlite3.Connection, names: list[str], down: list[bool], rows: list[Row]
):
    store.execute("DELETE FROM posts")
    store.executemany(
        "INSERT INTO posts (title, content, visits) VALUES (?, ?, ?)",
        [(each["title"], each["body"], each["visits"]) for each in rows],
    )
    attributes: list[Any] = [getattr(Posts, each) for each in names]
    terms = [each.desc() if descending else each.asc() for each, descending in zip(attributes, down, strict=True)]
    text, parameters = compiled(select(*attributes).order_by(*terms))
    expected = [tuple(each[name] for name in names) for each in rows]
    for index in (2, 1, 0):
        expected.sort(key=null_last(index), reverse=down[index])
    assert store.execute(text, parameters).fetchall() == expected


def null_last(index: int) -> Callable[[tuple[Any, ...]], tuple[bool, Any]]:
    return lambda row: (row[index] is None, 0 if row[index] is None else row[index])
