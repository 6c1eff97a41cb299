"""
Dehydration: the values of columns out of objects.

Which attribute goes to which column goes in; one function comes out that takes an object and returns a tuple.
"""

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, TypeAlias, assert_never

from attrs import define, field, frozen

from mapper.source import Program, compiled

__all__ = ["Dehydrate", "Part", "Take", "TakeKey", "TakeOptional", "compile_dehydrate"]

Dehydrate: TypeAlias = Callable[[Any], tuple[Any, ...]]


@frozen
class Take:
    """One attribute for one column; `path` may be dotted, as of an embedded object: `address.street`."""

    path: str
    column: str


@frozen
class TakeKey:
    """A tuple for several columns: a composite key."""

    path: str
    columns: tuple[str, ...]


@frozen
class TakeOptional:
    """
    The parts of an object that may be None, in which case all its columns are; paths of the parts begin at that object.
    """

    path: str
    parts: tuple["Part", ...]


Part: TypeAlias = Take | TakeKey | TakeOptional


def compile_dehydrate(parts: Iterable[Part], columns: Sequence[str]) -> Dehydrate:
    """
    Make the function that takes the values of columns from an object.

    Args:
        parts: Where the value of each column is.
        columns: The order of the result. Each must be in a part; columns of parts that are not listed are left out.

    Returns:
        A function that raises `AttributeError` where an object lacks an attribute, and `ValueError` where a composite
        key has another length.
    """
    paths = {each.column: each.path for each in parts if isinstance(each, Take)}
    if not columns:
        return _nothing
    if len(columns) > 1 and all(each in paths for each in columns):
        return attrgetter(*[paths[each] for each in columns])
    writer = _Writer()
    writer.take(parts, "o0", False)
    result = ", ".join([writer.names[each] for each in columns])
    source = "\n    ".join(["def dehydrate(o0):", *writer.lines, f"return ({result},)"]) + "\n"
    return compiled(source, writer.program.constants, "dehydrate")


def _nothing(_: Any) -> tuple[Any, ...]:
    return ()


@define
class _Writer:
    """Writes the lines that take values out of objects; `names` are the variables of columns."""

    program: Program = field(factory=Program)
    names: dict[str, str] = field(factory=dict)
    lines: list[str] = field(factory=list)
    objects: int = 0

    def take(self, parts: Iterable[Part], source: str, optional: bool) -> None:
        """Write the lines for the parts of the object named `source`, which may be None where `optional`."""
        plain: list[Take] = []
        for each in parts:
            match each:
                case Take():
                    plain.append(each)
                case TakeKey(path, columns):
                    self._assign(columns, [path], source, optional)
                case TakeOptional(path, inner):
                    self.objects += 1
                    name = f"o{self.objects}"
                    self._write([name], [path], source, optional)
                    self.take(inner, name, True)
                case _:
                    assert_never(each)
        if plain:
            self._assign([each.column for each in plain], [each.path for each in plain], source, optional)

    def _assign(self, columns: Sequence[str], paths: Sequence[str], source: str, optional: bool) -> None:
        targets = []
        for column in columns:
            self.names[column] = f"v{len(self.names)}"
            targets.append(self.names[column])
        self._write(targets, paths, source, optional)

    def _write(self, targets: Sequence[str], paths: Sequence[str], source: str, optional: bool) -> None:
        value = f"{self.program.constant('g', attrgetter(*paths))}({source})"
        spread = len(targets) > 1
        if optional:
            value = f"{'(None,) * ' + str(len(targets)) if spread else 'None'} if {source} is None else {value}"
        self.lines.append(f"{', '.join(targets)} = {value}")
