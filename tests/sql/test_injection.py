"""Nothing that a user gives becomes SQL: values are bound, names are quoted, literals are escaped."""

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateways.sql import SqlCompiler
from gateways.sqlite.codecs import SQLITE_CODECS
from gateways.sqlite.dialect import SQLITE
from mapper.columns import Check, Column, column
from mapper.relation import CommonTable, Relation, info
from mapper.selecting import select
from mapper.statements import CreateSchema, DeleteRows, InsertRows
from mapper.terms import literal
from tests.sql.blog import columns, database, run, with_common

HOSTILE = [
    'x" ; DROP TABLE victims; --',
    "x'; DROP TABLE victims; --",
    "x`; DROP TABLE victims; --",
    "]; DROP TABLE victims; --",
    'a"b""c',
    "?",
    "??",
    "$1",
    ":name",
    "/* */",
    "\\",
    "select",
    "ünï çødé 表",
    " ",
    "%",
    "{0}",
    "{0:glob}",
]


@attrs.frozen
class Thing:
    text: str


def hostile_relation(name: str) -> Any:
    class Hostile(Relation[Thing], name=f"t{name}", checks=[Check(lambda: Hostile.text != name)]):
        id: Column[int] = column(primary_key=True, name=f"i{name}")
        text: Column[str] = column(name=f"c{name}", index=True, unique=True, server_default=literal(name))

    return Hostile


@pytest.mark.feature("T3")
@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_quoted_everywhere(name: str):
    relation = hostile_relation(name)
    alias = relation.named(f"a{name}")
    made = SqlCompiler(SQLITE, SQLITE_CODECS)
    connection = database()
    connection.execute("CREATE TABLE victims (id INTEGER)")
    for operation in made.compile_schema(CreateSchema((relation,))):
        connection.execute(made.raw_text(operation))
    insert: Any = made.compile(
        InsertRows(relation, columns(relation, "text"), [("ok",), ("fine",)], columns(relation, "id"))
    )
    for row in insert.rows:
        connection.execute(insert.sql, row).fetchall()

    class Common(CommonTable, name=f"w{name}"):
        id: Column[int]

    query = (
        select(relation.text, alias.id)
        .join(alias, on=alias.id == relation.id)
        .where(alias.text != "x")
        .order_by(alias.text)
    )
    assert run(connection, query) == [("fine", 2), ("ok", 1)]
    common = with_common(select(Common.id), Common, select(relation.id)).join(relation, on=relation.id == Common.id)
    assert sorted(run(connection, common)) == [(1,), (2,)]
    delete: Any = made.compile(DeleteRows(relation, [(1,)]))
    connection.executemany(delete.sql, delete.parameters)
    assert run(connection, select(relation.text)) == [("fine",)]
    assert connection.execute("SELECT count(*) FROM victims").fetchone() == (0,)
    with pytest.raises(Exception, match="CHECK constraint failed"):
        connection.execute(insert.sql, (name,))
    connection.close()


@given(st.text(alphabet=st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20))
def test_values_are_never_in_the_text(value: str):
    relation = RELATION
    query = select(relation.id).where(
        (relation.text == value)
        | relation.text.in_([value])
        | relation.text.like(value)
        | relation.text.starts_with(value)
        | relation.text.ends_with(value)
        | relation.text.contains(value)
    )
    other = select(relation.id).where(
        (relation.text == "")
        | relation.text.in_([""])
        | relation.text.like("")
        | relation.text.starts_with("")
        | relation.text.ends_with("")
        | relation.text.contains("")
    )
    made = SqlCompiler(SQLITE, SQLITE_CODECS)
    operation: Any = made.compile(query)
    assert operation.sql == made.compile(other).sql


@given(st.text(alphabet=st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20))
def test_literals_of_checks_read_back_as_they_are(value: str):
    connection = database()
    assert connection.execute(f"SELECT {SQLITE.literal(value)}").fetchone() == (value,)
    connection.close()


@given(st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.binary(max_size=10), st.none()))
def test_literals_of_other_values_read_back_as_they_are(value: Any):
    connection = database()
    found = connection.execute(f"SELECT {SQLITE.literal(value)}").fetchone()[0]
    connection.close()
    assert found == value
    assert type(found) is type(value)


RELATION = hostile_relation("x")


def test_relation_of_the_property_is_described():
    assert info(RELATION).name == "tx"
