"""What only PostgreSQL has compiles for it, and is refused by every other gateway before anything is sent."""

import ast
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateways import postgres
from gateways.memory import MemoryGateway
from gateways.postgres import Jsonb, SearchQuery, array_append, jsonb, match, tsquery, tsvector
from gateways.postgres.dialect import POSTGRES
from gateways.sqlite import SQLiteGateway
from mapper import Attribute, Expr, Query, QueryError, Unsupported, fn, select
from mapper.assembly import walk
from mapper.functions import Aggregate
from mapper.gateway import Gateway
from mapper.selecting import optional
from mapper.terms import SetReturning
from tests.postgres.examples import EXAMPLES, Example, compiled
from tests.postgres.examples.example import GATEWAY
from tests.postgres.papers import Authors, Library, Papers

OTHERS: list[Callable[[], Gateway]] = [lambda: SQLiteGateway("never/opened.db"), MemoryGateway]
NAMES = ["sqlite", "memory"]

ALSO_ELSEWHERE = {("lateral", "memory"), ("ilike", "memory")}
"""What another gateway has as well."""

MODULES = (
    "aggregates",
    "array_functions",
    "document_functions",
    "documents",
    "lexemes",
    "moments",
    "patterns",
    "query_steps",
    "range_functions",
    "text_search",
)
"""Where the public operators and functions are."""

TYPES = {"Part", "Unit", "Weight", "TsQuery", "TsVector", "Jsonb", "SearchQuery"}
"""Public names there that are types: of values, of arguments, and of what functions return."""

BY_NAME = [pytest.param(each, id=each.name) for each in EXAMPLES]


# -- nothing is forgotten -----------------------------------------------------------------------------------------------


def public_names() -> set[str]:
    """The public names that are declared in the modules."""
    directory = Path(inspect.getfile(postgres)).parent
    declared = {name for module in MODULES for name in declared_in(directory / f"{module}.py")}
    return declared & set(postgres.__all__)


def declared_in(path: Path) -> Iterator[str]:
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


def test_every_public_name_has_an_example():
    assert sorted(public_names() - TYPES - {each.public for each in EXAMPLES}) == []


def test_every_function_of_the_modules_is_public():
    directory = Path(inspect.getfile(postgres)).parent
    functions = {
        node.name
        for module in MODULES
        for node in ast.parse((directory / f"{module}.py").read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    }
    assert sorted(functions - set(postgres.__all__)) == ["document_annotation", "json_value", "path_parts"]


@pytest.mark.parametrize(("class_", "prefix"), [(Jsonb, "jsonb"), (SearchQuery, "SearchQuery")])
def test_every_method_has_an_example(class_: type[Any], prefix: str):
    methods = {name for name, value in vars(class_).items() if not name.startswith("_") and inspect.isfunction(value)}
    assert sorted({f"{prefix}.{each}" for each in methods} - {each.name for each in EXAMPLES}) == []


def test_every_operator_of_the_dialect_is_in_an_example():
    tables = [*POSTGRES.operators, *POSTGRES.aggregates]
    names = {key if isinstance(key, str) else key[0] for key in tables}
    own = {each.partition(":")[0] for each in names if each.startswith("postgres.")}
    used = {name.partition(":")[0] for each in EXAMPLES for name in called(each.make())}
    assert sorted(own - used) == []


def called(query: Query[Any, Any]) -> Iterator[str]:
    """The names of what a query calls, anywhere in it."""
    select = query.assemble()
    for each in (*select.items, *select.where, *select.group_by):
        for part in walk(each):
            yield getattr(part, "name", "")
            function = getattr(part, "function", None)
            yield getattr(function, "name", "")


# -- every example is refused elsewhere ---------------------------------------------------------------------------------


@pytest.mark.feature("B11")
@pytest.mark.parametrize("example", BY_NAME)
def test_example_compiles_for_postgres(example: Example):
    assert compiled(example.make()).sql


@pytest.mark.feature("B11")
@pytest.mark.parametrize("other", OTHERS, ids=NAMES)
@pytest.mark.parametrize("example", BY_NAME)
def test_example_is_refused_by_another_gateway(example: Example, other: Callable[[], Gateway]):
    refusing = other()
    if (example.public, refusing.name) in ALSO_ELSEWHERE:
        refusing.compile(example.make())
        return
    with pytest.raises(Unsupported) as caught:
        refusing.compile(example.make())
    assert caught.value.gateway == refusing.name
    assert not caught.value.capability.startswith("postgres.")


PLACES: dict[str, Callable[[Any, Expr[Any, Any]], Query[Any, Any]]] = {
    "where": lambda of, it: select(of.id).where(it.is_not_null()),
    "order_by": lambda of, it: select(of.id).order_by(it),
    "having": lambda of, it: select(of.id).group_by(of.id, it).having(it.is_null()),
    "join": lambda of, it: select(of.id).join(Authors, on=it.is_null()),
    "left join": lambda of, it: select(of.id, optional(Authors.name)).left_join(Authors, on=it.is_null()),
    "subquery": lambda of, it: select(of.id).where(of.id.in_(select(of.id).where(it.is_null()))),
    "case": lambda of, it: select(fn.case((it.is_null(), 1), else_=2)).from_(of),
    "union": lambda of, it: select(of.id).union(select(of.id).where(it.is_null())),
}


def plain_expressions() -> dict[str, Expr[Any, Any]]:
    """An expression over one row for each example that has one."""
    found: dict[str, Expr[Any, Any]] = {}
    for example in EXAMPLES:
        for item in example.make()._projection.outputs()[0]:
            parts = list(walk(item))
            own = any(str(getattr(each, "name", "")).startswith("postgres.") for each in parts)
            if own and not any(isinstance(each, SetReturning | Aggregate) for each in parts):
                found.setdefault(example.public, item)
    return found


PLAIN = [pytest.param(each, id=name) for name, each in plain_expressions().items()]


@pytest.mark.feature("B11")
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("expression", PLAIN)
def test_expression_is_refused_wherever_it_stands(expression: Expr[Any, Any], place: str):
    read = {each.relation for each in walk(expression) if isinstance(each, Attribute)} or {Papers}
    query = PLACES[place](read.pop(), expression)
    assert compiled(query)
    for other in OTHERS:
        with pytest.raises(Unsupported):
            other().compile(query)


@pytest.mark.parametrize("other", OTHERS, ids=NAMES)
async def test_expression_is_refused_in_changesets(other: Callable[[], Gateway]):
    condition = match(tsvector(Papers.title), tsquery("cat"))
    updates = Library.change()
    updates.updates(Papers).where(Papers.id == 1).set(Papers.tags.to(array_append(Papers.tags, "x")))
    filtered = Library.change()
    filtered.updates(Papers).where(condition).set(Papers.title.to("x"))
    deletes = Library.change()
    deletes.deletes(Papers).where(jsonb(Papers.data).has_key("x"))
    for changes in (updates, filtered, deletes):
        with pytest.raises(Unsupported):
            await changes.commit(Library(other()))
    assert not Path("never").exists()


def test_refusal_says_where_it_would_work():
    with pytest.raises(Unsupported) as caught:
        MemoryGateway().compile(select(array_append(Papers.tags, "x")))
    assert str(caught.value) == (
        "array_append is not supported by the memory gateway\nHINT: only the postgres gateway has it"
    )


# -- functions that give rows -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        lambda rows: select(Papers.id).where(rows.is_not_null()),
        lambda rows: select(Papers.id).group_by(rows),
        lambda rows: select(Papers.id).join(Authors, on=rows == "x"),
        lambda rows: select(fn.count(rows)),
        lambda rows: select(fn.coalesce(rows, "x")),
        lambda rows: select(fn.case((Papers.id == 1, rows))),
        lambda rows: select(Papers.id).group_by(Papers.id).having(rows == "x"),
    ],
)
def test_function_that_gives_rows_is_refused_where_one_value_is_needed(query: Callable[[Any], Query[Any, Any]]):
    with pytest.raises(QueryError, match="gives rows and stands in"):
        compiled(query(postgres.unnest(Papers.tags)))


async def test_function_that_gives_rows_is_refused_in_an_update():
    changes = Library.change()
    changes.updates(Papers).everywhere().set(Papers.title.to(postgres.unnest(Papers.tags)))
    with pytest.raises(QueryError, match="gives rows and stands in an assignment"):
        await changes.commit(Library(GATEWAY))


async def test_pages_of_a_function_that_gives_rows_are_refused():
    query = select(Papers.id, postgres.unnest(Papers.tags))
    with pytest.raises(QueryError, match="a function that gives rows"):
        await query.page(Library(GATEWAY), size=2)


async def test_pages_of_distinct_on_are_refused():
    query = postgres.distinct_on(select(Papers.id), Papers.author_id)
    with pytest.raises(QueryError, match="pages of a query with groups, distinct rows"):
        await query.page(Library(GATEWAY), size=2)


def test_page_of_expressions_has_every_public_name():
    page = Path(__file__).parent.parent.parent / "docs" / "reference" / "postgres-expressions.md"
    text = page.read_text("utf-8")
    functions = public_names() - TYPES
    methods = {name for name in vars(Jsonb) | vars(SearchQuery) if not name.startswith("_") and name in vars(Jsonb)}
    missing = {each for each in functions if f"{each}(" not in text}
    assert sorted(missing | {each for each in methods if f".{each}(" not in text}) == []
