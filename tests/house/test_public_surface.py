"""What users may rely on is there, where the design says, documented, and nothing else is visible."""

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TypeAlias

import pytest

import mapper
import mapper.errors
from tests.house.sources import PRODUCTS, modules

SURFACE = {
    "mapper": """
        Relation Column column Keyed Timestamped Versioned Repository Stores HasMany HasOne BelongsTo ManyToMany
        Through select optional outer scalar exists any_ all_ none_ values excluded fragment raw prepared fn
        rows_between Varchar Char Numeric Json Index Unique Check Query One Rows Page Cursor Changeset Ref
        Committed Cache CachePolicy ReadThrough RawSql literal CommonTable Timestamp
    """,
    "mapper.schema": "describe diff inspect to_python diagram",
    "mapper.testing": "RecordingGateway FaultyGateway",
    "mapper.testing.conformance": "gateway_suite cache_driver_suite",
    "gateways": "open",
    "gateways.memory": "MemoryGateway",
    "gateways.sqlite": "SQLiteGateway match attach backup",
    "gateways.postgres": """
        PostgresGateway array_agg distinct_on jsonb tsquery listen notify copy_from copy_to advisory_lock
    """,
    "cache_drivers.memory": "MemoryDriver",
    "cache_drivers.redis": "RedisDriver",
    "cache_drivers.null": "NullDriver",
    "cache_drivers.tiered": "TieredDriver",
}
"""The names of the design, by the module that they are imported from."""

LATER = {
    "schema": """
        mapper.schema.diff mapper.schema.inspect mapper.schema.to_python mapper.schema.diagram
    """,
    "what only SQLite has": "gateways.sqlite.match gateways.sqlite.attach gateways.sqlite.backup",
}
PENDING = frozenset(name for names in LATER.values() for name in names.split())
"""Names of later work. The set is exact: a name that exists must leave it."""

Documented: TypeAlias = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef

NAMES = sorted(f"{module}.{name}" for module, names in SURFACE.items() for name in names.split())


def exists(dotted: str) -> bool:
    """Whether the name can be imported; a module that is there but fails to import is an error, not an absence."""
    module, _, name = dotted.rpartition(".")
    try:
        return hasattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name is not None and module.startswith(error.name):
            return False
        raise


def test_pending_names_are_names_of_the_design():
    assert sorted(PENDING - set(NAMES)) == []


@pytest.mark.parametrize("dotted", [name for name in NAMES if name not in PENDING])
def test_name_of_the_design_can_be_imported(dotted: str):
    assert exists(dotted)


def test_pending_names_are_all_absent():
    assert [dotted for dotted in sorted(PENDING) if exists(dotted)] == []


def test_every_error_can_be_imported_from_mapper():
    assert [
        name for name in mapper.errors.__all__ if getattr(mapper, name, None) is not getattr(mapper.errors, name)
    ] == []


def visible(module: ModuleType) -> set[str]:
    """The public names of a module that are no modules."""
    return {name for name, value in vars(module).items() if not name.startswith("_") and not inspect.ismodule(value)}


def test_all_of_mapper_equals_what_is_visible():
    modules = {name for name in mapper.__all__ if inspect.ismodule(getattr(mapper, name))}
    assert set(mapper.__all__) - {"__version__"} == visible(mapper) | modules
    assert modules == {"errors", "fn"}
    assert dir(mapper) == sorted(mapper.__all__)


def test_names_of_mapper_are_the_same_for_checkers_and_at_run_time():
    tree = ast.parse(Path(mapper.__file__).read_text(encoding="utf-8"))
    (checked,) = [node for node in tree.body if isinstance(node, ast.If)]
    imported = [node for node in checked.body if isinstance(node, ast.ImportFrom)]
    places = {each.module: " ".join([name.name for name in each.names]) for each in imported if each.module != "mapper"}
    assert places == mapper._PLACES
    assert set(mapper._PLACE_OF) | {"fn", "errors", "__version__", *mapper.errors.__all__} == set(mapper.__all__)


def test_no_name_of_mapper_is_hidden_by_a_module_of_that_name():
    beside = {each.name for each in pkgutil.iter_modules(mapper.__path__)}
    assert set(mapper.__all__) & beside == {"errors"}


@pytest.mark.parametrize(
    "used", ["schema.describe", "types.Varchar", "cache.Cache", "testing.RecordingGateway", "fn.count"]
)
def test_module_is_found_from_mapper_alone(used: str):
    program = f"import mapper; from mapper import *; mapper.{used}; select, Cache, NoRow, fn"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_name_that_mapper_has_not_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'mapper' has no attribute 'Modle'"):
        _ = mapper.Modle
    with pytest.raises(ImportError, match="cannot import name 'Modle' from 'mapper'"):
        exec("from mapper import Modle")


def test_all_of_mapper_has_no_duplicates():
    assert sorted(mapper.__all__) == sorted(set(mapper.__all__))


def undocumented() -> Iterator[str]:
    """Find the public modules, classes and functions of the products that have no docstring."""
    for module in modules(*PRODUCTS):
        if not ast.get_docstring(module.tree):
            yield f"{module.path}: the module"
        documented = [
            node for node in module.tree.body if isinstance(node, Documented) and not node.name.startswith("_")
        ]
        missing = [node for node in documented if not ast.get_docstring(node) and not _is_overload(node)]
        yield from (f"{module.at(node)}: {node.name}" for node in missing)


def _is_overload(node: Documented) -> bool:
    return any(ast.unparse(decorator).endswith("overload") for decorator in node.decorator_list)


def test_public_classes_and_functions_have_docstrings():
    assert list(undocumented()) == []


@pytest.mark.parametrize("name", [name for name in mapper.__all__ if inspect.isclass(getattr(mapper, name))])
def test_public_methods_of_an_exported_class_have_docstrings(name: str):
    class_ = getattr(mapper, name)
    methods = {
        method: value for method, value in vars(class_).items() if not method.startswith("_") and _is_method(value)
    }
    assert [method for method in methods if not inspect.getdoc(getattr(class_, method))] == []


def _is_method(value: object) -> bool:
    return inspect.isfunction(value) or isinstance(value, classmethod | staticmethod | property)
