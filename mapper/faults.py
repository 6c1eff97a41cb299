"""
Faults: which column is to blame when a batch of raw rows cannot be made into objects.

The generated function is fast and does not know; this is the slow path, which reads the failed batch again, cell by
cell.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NoReturn, TypeAlias, assert_never

from attrs import frozen

from mapper.errors import ValueNotReadable
from mapper.nodes import Apply, Build, Call, Cell, Maybe, Node, RowOf, TupleOf
from mapper.source import NullFound

__all__ = ["Explain", "explainer"]

SHOWN: Final = 60
"""Characters of a value in a message."""

Explain: TypeAlias = Callable[[Sequence[Sequence[Any]], Exception], None]
"""
Raises `ValueNotReadable` with the name of a column where one explains what was raised over these rows, and returns otherwise.
"""


@frozen
class _Fault:
    """A value that its cell cannot take; `error` is what its decoder raised, None for NULL."""

    cell: Cell
    value: Any
    error: Exception | None

    def explains(self, raised: Exception) -> bool:
        """Whether it is what the generated function stopped at."""
        if self.error is None:
            return isinstance(raised, NullFound)
        return type(self.error) is type(raised) and str(self.error) == str(raised)


def explainer(node: Node, width: int) -> Callable[[Sequence[Sequence[Any]], Exception], None]:
    """
    Return the slow path: it reads the failed batch again, cell by cell, and raises with the name of the column at
    fault, if a column is.
    """

    def explain(rows: Sequence[Sequence[Any]], raised: Exception) -> None:
        misfit = type(raised) is ValueError and "unpack" in str(raised)
        for row in rows:
            if misfit and len(row) != width:
                raise ValueError(f"a row has {len(row)} values, expected {width}") from raised
            for fault in _faults(node, row):
                if fault.explains(raised):
                    _report(fault)

    return explain


def _faults(node: Node, row: Sequence[Any]) -> Iterator[_Fault]:
    match node:
        case Cell():
            yield from _fault(node, row[node.index])
        case Build(_, arguments, absent_when):
            if not absent_when or any(row[index] is not None for index in absent_when):
                for _, each in arguments:
                    yield from _faults(each, row)
        case TupleOf(items) | RowOf(items):
            for each in items:
                yield from _faults(each, row)
        case Maybe(inner, absent_when):
            if any(row[index] is not None for index in absent_when):
                yield from _faults(inner, row)
        case Apply() | Call():
            yield from _faults(node.node, row)
        case _:
            assert_never(node)


def _fault(cell: Cell, value: Any) -> Iterator[_Fault]:
    if value is None:
        if not cell.nullable:
            yield _Fault(cell, value, None)
    elif cell.decode is not None:
        try:
            cell.decode(value)
        except Exception as error:  # whatever a decoder raises is told with its column
            yield _Fault(cell, value, error)


def _report(fault: _Fault) -> NoReturn:
    cell, error = fault.cell, fault.error
    where = f"column {cell.column!r} of {cell.relation}" if cell.relation else f"column {cell.column!r}"
    if error is None:
        raise ValueNotReadable(
            f"{where} is NULL, expected a value",
            column=cell.column,
            hint="declare it as one that can be None, or mend the row",
        ) from None
    expected = getattr(error, "expected", "") or cell.expected
    hint = getattr(error, "hint", None)
    if cell.sensitive:
        raise ValueNotReadable(
            f"{where} holds a value that is not shown, expected {expected or 'another'}", column=cell.column, hint=hint
        ) from None
    raise ValueNotReadable(
        f"{where} holds {_shown(fault.value)}, expected {expected or error}",
        column=cell.column,
        value=fault.value,
        hint=hint,
    ) from error


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
