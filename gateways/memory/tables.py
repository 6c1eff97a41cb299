"""
Tables: rows, and indexes over them.

Rows are tuples in the order of the relation's columns. Each has a number of its own, which grows with every insert and
is never used again, so that rows come in the order of their insertion. They are kept in pages, so that a reader can go
on while rows change: it copies one page at a time.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Final, Protocol, TypeAlias

from gateways.memory.expressions import frozen_value
from gateways.memory.layouts import Adapter, Layout, Uniqueness, adapter_of

__all__ = ["Index", "Log", "Row", "Table", "Tables", "Undo", "Unique", "Watcher"]

Row: TypeAlias = tuple[Any, ...]

PAGE: Final = 512
"""Rows of a page."""


class Undo(Protocol):
    """Something whose changes can be taken back."""

    def restore(self, place: Any, old: Any) -> None:
        """Set a place to what it was."""
        ...


Log: TypeAlias = list[tuple[Undo, Any, Any]]
"""What was changed, where, and what it was before; taken back from the end."""


class Watcher(Protocol):
    """Told of every row that changes, before it does."""

    def changed(self, table: "Table", number: int, old: Row | None) -> None:
        """Take note of a row as it was; None where there was none."""
        ...


class Index:
    """Numbers of rows by their values at some positions. Rows with NULL there are not in it."""

    __slots__ = ("entries", "positions")

    def __init__(self, positions: Sequence[int]) -> None:
        self.positions = tuple(positions)
        self.entries: dict[Any, dict[int, None]] = {}

    def key(self, row: Row) -> Any:
        """Return a row's key; None where it has none."""
        key = tuple([row[each] for each in self.positions])
        return None if None in key else hashed(key)

    def find(self, key: tuple[Any, ...]) -> Iterable[int]:
        """Return the numbers of the rows with these values."""
        return self.entries.get(hashed(key), ())

    def move(self, number: int, old: Row | None, new: Row | None) -> None:
        """Follow a row that changes."""
        before = None if old is None else self.key(old)
        after = None if new is None else self.key(new)
        if before == after:
            return
        if before is not None:
            numbers = self.entries[before]
            del numbers[number]
            if not numbers:
                del self.entries[before]
        if after is not None:
            self.entries.setdefault(after, {})[number] = None


class Unique:
    """
    Numbers of rows by their values at some positions, at most one for each.

    Attributes:
        partial: Rows that do not fulfil the constraint's condition are not in it either.
    """

    __slots__ = ("_terms", "_where", "entries", "partial", "positions")

    def __init__(self, constraint: Uniqueness) -> None:
        self.positions = constraint.positions
        self._where = constraint.where
        self._terms = constraint.terms
        self.partial = constraint.where is not None
        self.entries: dict[Any, int] = {}

    def key(self, row: Row) -> Any:
        """Return a row's key; None where it has none."""
        values = [each.value(row) for each in self._terms] if self._terms else [row[each] for each in self.positions]
        key = tuple(values)
        if None in key or (self._where is not None and self._where.value(row) is not True):
            return None
        return hashed(key)

    def find(self, key: tuple[Any, ...]) -> Iterable[int]:
        """Return the number of the row with these values, if there is one."""
        number = self.entries.get(hashed(key))
        return () if number is None else (number,)

    def move(self, number: int, old: Row | None, new: Row | None) -> None:
        """Follow a row that changes. While several rows change, another may have taken its place already."""
        before = None if old is None else self.key(old)
        after = None if new is None else self.key(new)
        if before == after:
            return
        if before is not None and self.entries.get(before) == number:
            del self.entries[before]
        if after is not None:
            self.entries[after] = number


class Page:
    """Up to `PAGE` rows; None where there is none, or none any more."""

    __slots__ = ("filled", "rows")

    def __init__(self) -> None:
        self.rows: list[Row | None] = []
        self.filled = 0


class Table:
    """
    The rows of one relation as they are now, with what an open transaction has changed.

    Attributes:
        layout: What the relation declares.
        pages: By number, in order.
        next_row: The number that the next row gets.
        counter: The largest key that was ever used, of a relation whose keys are made up here.
        uniques: The primary key's index first, where there is one.
    """

    __slots__ = ("_adapters", "_others", "counter", "layout", "next_row", "pages", "uniques", "watchers")

    def __init__(self, layout: Layout, watchers: list[Watcher]) -> None:
        self.layout = layout
        self.watchers = watchers
        self.pages: dict[int, Page] = {}
        self.next_row = 0
        self.counter = 0
        self.uniques = [Unique(each) for each in layout.uniques]
        self._others: dict[tuple[int, ...], Index] = {}
        self._adapters: dict[Any, Adapter | None] = {layout.relation: None}

    def adapter(self, relation: Any) -> Adapter | None:
        """Return how a relation class (no alias) sees the rows; None where it sees them as they are."""
        if relation not in self._adapters:
            self._adapters[relation] = adapter_of(self.layout, relation)
        return self._adapters[relation]

    def rows(self) -> Iterator[Row]:
        """Give all rows, oldest first. Nothing may change before the last is taken."""
        return (row for row in chain.from_iterable([page.rows for page in self.pages.values()]) if row is not None)

    def numbered(self) -> Iterator[tuple[int, Row]]:
        """Give all rows with their numbers, oldest first. Nothing may change before the last is taken."""
        for number, page in self.pages.items():
            for place, row in enumerate(page.rows, number * PAGE):
                if row is not None:
                    yield place, row

    def row(self, number: int) -> Row | None:
        """Return the row of a number; None where it is gone."""
        page = self.pages.get(number // PAGE)
        return None if page is None or number % PAGE >= len(page.rows) else page.rows[number % PAGE]

    def get(self, key: tuple[Any, ...]) -> Row | None:
        """Return the row with this primary key, or None."""
        number = self.uniques[0].entries.get(key)
        return None if number is None else self.row(number)

    def put(self, number: int, row: Row | None, log: Log) -> None:
        """Set the row of a number, or with None remove it, and take note of what it was."""
        log.append((self, number, self._put(number, row)))

    def add(self, row: Row, log: Log) -> int:
        """Add a row and return its number."""
        number = self.next_row
        self.next_row += 1
        self.put(number, row, log)
        return number

    def count_to(self, key: int, log: Log) -> None:
        """Raise the counter of keys to one that is used."""
        if key > self.counter:
            log.append((self, None, self.counter))
            self.counter = key

    def restore(self, place: int | None, old: Any) -> None:
        """Take a change back: of the counter where `place` is None, else of a row."""
        if place is None:
            self.counter = old
        else:
            self._put(place, old)

    def index(self, positions: Sequence[int]) -> Index | Unique | None:
        """
        Return the index over exactly these positions, in any order; None where none is declared. It is made when it is
        first asked for.
        """
        wanted = set(positions)
        for each in self.uniques:
            if not each.partial and set(each.positions) == wanted:
                return each
        for declared in self.layout.indexed:
            if set(declared) == wanted:
                return self._other(declared)
        return None

    def _other(self, positions: tuple[int, ...]) -> Index:
        index = self._others.get(positions)
        if index is None:
            index = self._others[positions] = Index(positions)
            for number, row in self.numbered():
                index.move(number, None, row)
        return index

    def _put(self, number: int, row: Row | None) -> Row | None:
        place = number % PAGE
        page = self.pages.get(number // PAGE)
        if page is None:
            page = self._add_page(number // PAGE)
        rows = page.rows
        if place >= len(rows):
            rows.extend([None] * (place + 1 - len(rows)))
        old = rows[place]
        for watcher in self.watchers:
            watcher.changed(self, number, old)
        for unique in self.uniques:
            unique.move(number, old, row)
        for index in self._others.values():
            index.move(number, old, row)
        rows[place] = row
        page.filled += (row is not None) - (old is not None)
        if not page.filled:
            del self.pages[number // PAGE]
        return old

    def _add_page(self, number: int) -> Page:
        """Add a page. One that comes back, when the removal of its rows is taken back, goes where it was."""
        last = next(reversed(self.pages), -1)
        page = self.pages[number] = Page()
        if number < last:
            self.pages = dict(sorted(self.pages.items()))
        return page


def hashed(key: tuple[Any, ...]) -> Any:
    """Return a key that can be looked up: documents and lists are no keys of tables."""
    try:
        hash(key)
    except TypeError:
        return frozen_value(key)
    return key


Tables: TypeAlias = dict[tuple[str | None, str], Table]
"""By namespace and name."""
