"""
What compiled expressions are, and what all expressions of one statement share.

Slots of a numbered tree go in; a function that encodes a statement's values, and the tuple of values that every
compiled expression is called with, come out.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol, TypeAlias

from typing_extensions import TypeVar

from gateways.memory.binding import Binding, place_of
from gateways.sql.pieces import Place
from gateways.sql.shapes import require_equal
from mapper.expressions import Expr, Slot
from mapper.types import Codecs, Encoder, StorageType

__all__ = [
    "Compilation",
    "Compute",
    "MissingRow",
    "Path",
    "Row",
    "Run",
    "Subplan",
    "Values",
    "View",
    "constant",
    "getter",
]

Row: TypeAlias = Any
"""A row as an expression meets it: a tuple of values, or tuples of such tuples; a `Path` leads to a value."""


class MissingRow(tuple[None, ...]):
    """The row of NULLs that stands in the place of one that an outer join does not have."""

    __slots__ = ()


Values: TypeAlias = Sequence[Any]
"""The encoded parameters, then what was prepared from them, then the `Run`."""

Compute: TypeAlias = Callable[[Row, Values], Any]
"""A compiled expression. None is NULL; conditions give True, False or None."""

Path: TypeAlias = tuple[int, ...]
"""Positions to follow into a row."""

Prepare: TypeAlias = Callable[[Any], Any]

K = TypeVar("K")


class View(Protocol):
    """What a statement sees of the store: one state of all tables."""

    def rows(self, relation: Any) -> Iterable[tuple[Any, ...]]:
        """Give all rows of a relation, as tuples in the order of its columns, oldest first."""
        ...

    def get(self, relation: Any, key: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """Return the row with this primary key, or None."""
        ...

    def find(
        self, relation: Any, positions: tuple[int, ...], keys: Sequence[tuple[Any, ...]]
    ) -> Sequence[tuple[Any, ...]] | None:
        """Return the rows whose values at `positions` are one of `keys`, oldest first; None where no index tells."""
        ...


class Run:
    """
    One run of a plan.

    Attributes:
        view: The state of the store that is read.
        now: The time, the same for the whole statement.
        outers: The current rows of the enclosing selects, outermost first.
        commons: The rows of common tables, by relation class.
        kept: What is computed once a run: results of subqueries that do not depend on the enclosing row, hash tables.
    """

    __slots__ = ("commons", "kept", "now", "outers", "view")

    def __init__(
        self,
        view: View,
        *,
        now: datetime | None = None,
        outers: tuple[Row, ...] = (),
        commons: Mapping[Any, Any] | None = None,
        kept: dict[Any, Any] | None = None,
    ) -> None:
        self.view = view
        self.now = datetime.now(UTC) if now is None else now
        self.outers = outers
        self.commons = {} if commons is None else commons
        self.kept = {} if kept is None else kept

    def within(self, row: Row) -> "Run":
        """Return the run of a subquery of the select whose current row this is."""
        return Run(self.view, now=self.now, outers=(*self.outers, row), commons=self.commons, kept=self.kept)

    def again(self) -> "Run":
        """Return a run of the same plan after something has changed: what was computed once is computed anew."""
        return Run(self.view, now=self.now)

    def knowing(self, commons: Mapping[Any, Any]) -> "Run":
        """Return the same run with further common tables; what was computed once may now have another value."""
        return Run(self.view, now=self.now, outers=self.outers, commons={**self.commons, **commons})

    def once(self, key: object, make: Callable[[], K]) -> K:
        """Return what `make` returns, which is called once a run for a key."""
        found: K | None = self.kept.get(key)
        if found is None:
            found = self.kept[key] = make()
        return found


class Subplan(Protocol):
    """A compiled subquery."""

    def rows(self, row: Row, values: Values, limit: int | None = None) -> Sequence[tuple[Any, ...]]:
        """Return its rows, `limit` at most, for a row of the enclosing select."""
        ...

    def made(self, row: Row, values: Values, make: Callable[[Sequence[tuple[Any, ...]]], K]) -> K:
        """Return what `make` makes of all of its rows; once a run where they do not depend on the enclosing row."""
        ...


class Compilation:
    """
    What the expressions of one statement share: how its parameters are encoded, and what is prepared of them before a
    run.

    Attributes:
        codecs: The gateway's.
        size: How many parameters the statement has.
        subplan: Compiles a subquery, given its select and the scope of the enclosing one.
        outer_levels: The levels of enclosing selects that were referred to so far, in the order of compilation.
    """

    __slots__ = ("_beside", "_bindings", "_equal", "_preparations", "codecs", "outer_levels", "size", "subplan")

    def __init__(self, codecs: Codecs, size: int, subplan: Callable[[Any, Any], Subplan]) -> None:
        self.codecs = codecs
        self.size = size
        self.subplan = subplan
        self.outer_levels: list[int] = []
        self._equal: list[tuple[int, int]] = []
        self._bindings: dict[int, Binding] = {}
        self._beside: dict[int, Place] = {}
        self._preparations: list[tuple[int, Prepare]] = []

    def slot(self, slot: Slot, parts: Sequence[StorageType[Any]] = ()) -> int:
        """Register a parameter and return its position. A list of tuples has the types of their parts."""
        if slot.index not in self._bindings:
            encode = (
                _tuple_encoder([self.codecs.encoder(each) for each in parts])
                if parts
                else self.codecs.encoder(slot.type)
            )
            encoder = _list_encoder(encode) if slot.many else encode
            self._bindings[slot.index] = Binding(encoder, self._beside.get(slot.index))
        return slot.index

    def bind(self, slot: Slot, binding: Binding) -> None:
        """Register a parameter that is assigned to a column."""
        self._bindings[slot.index] = binding

    def bindings(self, size: int) -> list[Binding]:
        """Return how each of the first parameters is encoded; one that nothing uses is left as it is."""
        return [self._bindings.get(index) or Binding(_as_it_is) for index in range(size)]

    def beside(self, operands: Sequence[Expr[Any, Any]]) -> None:
        """Take note of the column that parameters are compared with, for messages."""
        place = next((found for each in operands if (found := place_of(each)) is not None), None)
        if place is not None:
            for each in operands:
                if isinstance(each, Slot):
                    self._beside.setdefault(each.index, place)

    def prepare(self, source: "int | tuple[int, ...]", make: Prepare) -> int:
        """
        Have `make` called once a run with a parameter (with several, as a list) and return the position of what it
        returns.
        """
        position = self.size + len(self._preparations)
        prepare = make if isinstance(source, int) else _of_several(source, make)
        self._preparations.append((source if isinstance(source, int) else -1, prepare))
        return position

    def require_equal(self, first: Sequence[int], second: Sequence[int]) -> None:
        """Have two expressions of one shape refused where their parameters turn out to differ."""
        self._equal.extend(zip(first, second, strict=True))

    def encode(self, parameters: Sequence[Any]) -> tuple[Any, ...]:
        """
        Encode a statement's parameters.

        Raises:
            ValueNotStorable: One of them is not a value of its type.
            QueryError: Rows are grouped or ordered by an expression that is selected with other values.
        """
        encoded = list(parameters)
        for index, binding in self._bindings.items():
            encoded[index] = binding.encoded(encoded[index])
        if self._equal:
            require_equal(parameters, self._equal)
        return tuple(encoded)

    def values(self, encoded: Sequence[Any], run: Run) -> Values:
        """Return what compiled expressions are called with."""
        return (*encoded, *self.prepared(encoded), run) if self._preparations else (*encoded, run)

    def prepared(self, encoded: Sequence[Any]) -> tuple[Any, ...]:
        """Return what is prepared of encoded parameters; each may build on those before it."""
        known = list(encoded)
        for index, make in self._preparations:
            known.append(make(known if index < 0 else known[index]))
        return tuple(known[self.size :])


def constant(value: Any) -> Compute:
    """Return an expression whose value is always the same."""
    return lambda row, values: value


def getter(path: Path) -> Compute:
    """Return an expression that follows a path into the row."""
    match path:
        case (i,):
            return lambda row, values: row[i]
        case (i, j):
            return lambda row, values: row[i][j]
        case (i, j, k):
            return lambda row, values: row[i][j][k]
        case (i, j, k, m):
            return lambda row, values: row[i][j][k][m]
        case _:
            raise AssertionError(path)


def _list_encoder(encode: Encoder) -> Encoder:
    def encoded(items: Any) -> tuple[Any, ...]:
        return tuple([None if each is None else encode(each) for each in items])

    return encoded


def _as_it_is(value: Any) -> Any:
    return value


def _tuple_encoder(parts: Sequence[Encoder]) -> Encoder:
    def encoded(item: Any) -> tuple[Any, ...]:
        return tuple([None if each is None else encode(each) for encode, each in zip(parts, item, strict=True)])

    return encoded


def _of_several(positions: tuple[int, ...], make: Prepare) -> Prepare:
    return lambda encoded: make([encoded[each] for each in positions])
