"""
Counters in a store, and the least that each must show: what processes that share a cache read and write.

The floors are in a file that all processes map: the number of each counter behind the last commit that returned. A read
that begins after that and shows less is stale.
"""

import fcntl
import mmap
from collections.abc import Sequence
from pathlib import Path
from struct import Struct
from typing import Final

from attrs import frozen

from mapper import Column, Relation, Repository, column

__all__ = ["NUMBER", "Book", "Counter", "Counters", "Floors"]

NUMBER: Final = 8
"""How many counters there are."""

WORD: Final = Struct("<q")


@frozen
class Counter:
    """A number that only grows."""

    value: int


class Counters(Relation[Counter], name="stress_counters"):
    id: Column[int] = column(primary_key=True)
    value: Column[int]


class Book(Repository[Counters]): ...


class Floors:
    """The least that each counter must show, shared by processes through a file."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(WORD.size * NUMBER))
        self._file = path.open("r+b")
        self._map = mmap.mmap(self._file.fileno(), WORD.size * NUMBER)

    def read(self) -> Sequence[int]:
        """Return what each counter must show by now."""
        return [each for (each,) in WORD.iter_unpack(self._map[:])]

    def raise_to(self, counter: int, value: int) -> None:
        """Say that a commit has returned which made a counter this large."""
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            at = counter * WORD.size
            if WORD.unpack_from(self._map, at)[0] < value:
                WORD.pack_into(self._map, at, value)
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the file."""
        self._map.close()
        self._file.close()
