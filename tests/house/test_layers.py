"""
Imports point one way, and what is never seen here is not there.

examples → mapper, gateways, cache_drivers; a gateway → gateways.sql, mapper; cache_drivers → mapper.errors,
mapper.cache; mapper → neither.
"""

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.house.sources import PRODUCTS, Import, Module, cycles, imports, modules

SOURCES = modules(*PRODUCTS)
EVERYTHING = modules(*PRODUCTS, "examples", "tests")
NAMES = frozenset(module.name for module in EVERYTHING)
IMPORTS = tuple(found for module in SOURCES for found in imports(module, NAMES))

GATEWAYS_SHARED = frozenset({"sql"})
"""Parts of `gateways` that are no gateway: every gateway may import them."""

FORBIDDEN_NAMES = frozenset({"utils", "util", "helpers", "helper", "base", "common", "misc"})
STORES = frozenset({"gateway", "driver", "dialect", "capabilities", "database", "store"})
DATABASES = frozenset(
    {"citus", "cockroachdb", "dynamodb", "mariadb", "memory", "mysql", "postgres", "postgresql", "sqlite", "yugabytedb"}
)


def within(name: str, *packages: str) -> bool:
    """Whether the module is one of the packages or below one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def gateway_of(name: str) -> str | None:
    """The gateway that a module belongs to; None for `gateways` itself, for what gateways share, and elsewhere."""
    package, *rest = name.split(".")
    return rest[0] if package == "gateways" and rest and rest[0] not in GATEWAYS_SHARED else None


def refused(found: Import) -> bool:
    """Whether an import breaks the arrows between packages, for checkers or at run time alike."""
    importer, imported = found.importer, found.imported
    if within(imported, "tests", "examples"):
        return True
    if within(importer, "mapper"):
        return within(imported, "gateways", "cache_drivers")
    if within(importer, "cache_drivers"):
        return within(imported, *PRODUCTS) and not within(imported, "cache_drivers", "mapper.errors", "mapper.cache")
    if within(imported, "cache_drivers"):
        return True
    other = gateway_of(imported)
    return other is not None and importer != "gateways" and other != gateway_of(importer)


@pytest.mark.parametrize(
    ("importer", "imported", "expected"),
    [
        ("mapper.query", "mapper.errors", False),
        ("mapper.query", "gateways.sql", True),
        ("mapper.query", "tests.features", True),
        ("gateways", "gateways.sqlite", False),
        ("gateways.sqlite.gateway", "gateways.sqlite.codecs", False),
        ("gateways.sqlite.gateway", "gateways.sql.writer", False),
        ("gateways.sqlite.gateway", "gateways.postgres", True),
        ("gateways.sql.writer", "gateways.sqlite", True),
        ("gateways.memory", "cache_drivers.memory", True),
        ("cache_drivers.redis", "mapper.cache", False),
        ("cache_drivers.redis", "mapper.errors", False),
        ("cache_drivers.redis", "mapper", True),
        ("cache_drivers.redis", "mapper.query", True),
        ("cache_drivers.redis", "redis.asyncio", False),
    ],
)
def test_arrow_between_packages_is_judged(importer: str, imported: str, expected: bool):
    assert refused(Import(importer, imported, "here:1")) is expected


def test_imports_between_packages_point_one_way():
    assert [str(found) for found in IMPORTS if refused(found)] == []


def closing_a_cycle(found: Sequence[Import]) -> list[Import]:
    """Choose the imports that are part of a cycle of the given ones."""
    graph: dict[str, set[str]] = {}
    for each in found:
        graph.setdefault(each.importer, set()).add(each.imported)
    groups = cycles(graph)
    return [each for each in found if any({each.importer, each.imported} <= set(group) for group in groups)]


def within_at_run_time(package: str) -> list[Import]:
    """List the imports between modules of one package that are made when the program runs."""
    return [
        each
        for each in IMPORTS
        if within(each.importer, package) and within(each.imported, package) and not each.checking
    ]


@pytest.mark.parametrize("package", PRODUCTS)
def test_imports_within_a_package_have_no_cycle(package: str):
    at_the_top = [each for each in within_at_run_time(package) if not each.deferred]
    assert list(map(str, closing_a_cycle(at_the_top))) == []


@pytest.mark.parametrize("package", PRODUCTS)
def test_no_import_inside_a_function_hides_a_cycle(package: str):
    assert [str(each) for each in closing_a_cycle(within_at_run_time(package)) if each.deferred] == []


def test_cycles_of_a_graph_with_one_are_found():
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"d"}, "e": {"a"}}) == [["b", "c"], ["d"]]


def test_module_names_say_what_is_in_them():
    parts = {module.name: module.name.split(".") for module in modules(*PRODUCTS, "examples")}
    assert [name for name, words in parts.items() if FORBIDDEN_NAMES & {word.strip("_") for word in words}] == []


def never_seen(module: Module) -> Iterator[str]:
    """Describe what a product's module has that no product may have."""
    for node in ast.walk(module.tree):
        match node:
            case ast.Call(func=ast.Name(id="print")):
                yield f"{module.at(node)}: print"
            case ast.ExceptHandler(type=None):
                yield f"{module.at(node)}: bare except"
            case ast.ClassDef(keywords=keywords, bases=bases) if _is_metaclass(keywords, bases):
                yield f"{module.at(node)}: metaclass in {node.name}"
            case (
                ast.Name(id="ContextVar")
                | ast.Attribute(attr="ContextVar")
                | ast.alias(name="contextvars" | "ContextVar")
            ):
                yield f"{module.at(node)}: context variable"
            case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test) if _asks_for_a_database(test):
                yield f"{module.at(node)}: branch on a database: {ast.unparse(test)}"
            case ast.Match(subject=subject) if _is_name_of_store(subject):
                yield f"{module.at(node)}: branch on a database: match {ast.unparse(subject)}"
            case _:
                pass


def _is_metaclass(keywords: list[ast.keyword], bases: list[ast.expr]) -> bool:
    return any(keyword.arg == "metaclass" for keyword in keywords) or any(
        ast.unparse(base) in ("type", "ABCMeta", "abc.ABCMeta") for base in bases
    )


def _asks_for_a_database(test: ast.expr) -> bool:
    """
    Whether the condition compares the name of a gateway, driver or dialect with a word, or any name with a database's.
    """
    for node in ast.walk(test):
        match node:
            case ast.Compare(left=left, ops=[ast.Eq() | ast.NotEq()], comparators=[right]):
                asks = _names(left, [right]) or _names(right, [left])
            case ast.Compare(
                left=left, ops=[ast.In() | ast.NotIn()], comparators=[ast.Tuple() | ast.List() | ast.Set() as among]
            ):
                asks = _names(left, among.elts)
            case _:
                continue
        if asks:
            return True
    return False


def _names(node: ast.expr, words: Sequence[ast.expr]) -> bool:
    if not _is_name(node):
        return False
    texts = {word.value for word in words if isinstance(word, ast.Constant) and isinstance(word.value, str)}
    return bool(texts & DATABASES) or (bool(texts) and _is_name_of_store(node))


def _is_name(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr in ("name", "dialect")


def _is_name_of_store(node: ast.expr) -> bool:
    return _is_name(node) and not STORES.isdisjoint(ast.unparse(node).split("."))


@pytest.mark.parametrize("package", PRODUCTS)
def test_products_have_nothing_that_is_never_seen_here(package: str):
    assert [place for module in SOURCES if module.package == package for place in never_seen(module)] == []


@pytest.mark.parametrize(
    "source",
    [
        "print(1)",
        "try:\n    f()\nexcept:\n    raise",
        "class M(type): ...",
        "class M(A, metaclass=B): ...",
        "from contextvars import ContextVar",
        "import contextvars",
        "if x.name == 'sqlite': f()",
        "if self.gateway.name != 'other': f()",
        "x = 1 if self.gateway.name in ('a', 'b') else 2",
        "match gateway.dialect:\n    case 'sqlite': f()",
    ],
)
def test_thing_never_seen_here_is_found(source: str):
    assert list(never_seen(Module("mapper.sample", Path("sample.py"), ast.parse(source))))


@pytest.mark.parametrize(
    "condition", ["column.name == other.name", "'.' in column.name", "each.name == 'and'", "url.scheme == 'sqlite'"]
)
def test_other_condition_is_no_branch_on_a_database(condition: str):
    tree = ast.parse(f"if {condition}: f()")
    assert list(never_seen(Module("mapper.sample", Path("sample.py"), tree))) == []
