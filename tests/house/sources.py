"""
The project's own source as data: modules, syntax trees and imports.

Paths go in, immutable values come out. Nothing of the project is imported, so that a module that fails to import can
still be judged.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import attrs

ROOT = Path(__file__).parent.parent.parent
PRODUCTS = ("mapper", "gateways", "cache_drivers")


@attrs.frozen
class Module:
    """A module by its dotted name; a package is its `__init__`."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def package(self) -> str:
        """The top-level package."""
        return self.name.partition(".")[0]

    def at(self, node: ast.AST) -> str:
        """Where the node stands, as editors take it."""
        return f"{self.path}:{getattr(node, 'lineno', 1)}"


@attrs.frozen
class Import:
    """
    One module imported by another.

    Attributes:
        place: Where the statement stands.
        checking: It is below `if TYPE_CHECKING:` and so for checkers alone.
        deferred: It is inside a function and so happens when that is called.
    """

    importer: str
    imported: str
    place: str
    checking: bool = False
    deferred: bool = False

    def __str__(self) -> str:
        return f"{self.place}: {self.importer} imports {self.imported}"


@cache
def modules(*packages: str, root: Path = ROOT) -> tuple[Module, ...]:
    """Read every module of the packages, in the order of their names."""
    paths = sorted(path for package in packages for path in (root / package).rglob("*.py"))
    return tuple(_module(path, root) for path in paths)


def _module(path: Path, root: Path) -> Module:
    relative = path.relative_to(root)
    parts = relative.with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return Module(name, relative, ast.parse(path.read_text("utf-8"), filename=str(relative)))


def imports(module: Module, names: frozenset[str]) -> Iterator[Import]:
    """
    List what a module imports, wherever in it the statement stands.

    Args:
        module: The importing module.
        names: All modules known, which tell whether `from a import b` means the module `a.b` or a name in `a`.
    """
    checking = {id(inner) for node in ast.walk(module.tree) if _is_checking(node) for inner in _body(node)}
    deferred = {id(inner) for node in ast.walk(module.tree) if _is_function(node) for inner in _body(node)}
    for node in ast.walk(module.tree):
        for imported in _imported(node, names):
            yield Import(module.name, imported, module.at(node), id(node) in checking, id(node) in deferred)


def _imported(node: ast.AST, names: frozenset[str]) -> list[str]:
    match node:
        case ast.Import(names=aliases):
            return [alias.name for alias in aliases]
        case ast.ImportFrom(module=str(source), names=aliases, level=0):
            inner = {f"{source}.{alias.name}" for alias in aliases}
            return sorted((inner & names) | ({source} if inner - names else set()))
        case _:
            return []


def _is_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def _is_function(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def _body(node: ast.AST) -> Iterator[ast.AST]:
    for statement in getattr(node, "body", ()):
        yield from ast.walk(statement)


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Find the groups of modules that reach one another (Tarjan, 1972), each sorted; an acyclic graph has none."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        order[name] = low[name] = len(order)
        stack.append(name)
        for target in sorted(graph.get(name, ())):
            if target not in order:
                visit(target)
                low[name] = min(low[name], low[target])
            elif target in stack:
                low[name] = min(low[name], order[target])
        if low[name] == order[name]:
            position = stack.index(name)
            found.append(sorted(stack[position:]))
            del stack[position:]

    for name in sorted(graph):
        if name not in order:
            visit(name)
    return [group for group in found if len(group) > 1 or group[0] in graph.get(group[0], ())]
