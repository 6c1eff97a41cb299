"""
How the program looks: tables and a progress bar, with rich where it is installed, in plain text where it is not.
"""

import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from typing import Protocol

import attrs

__all__ = ["Column", "Screen", "Table", "best_screen", "bytes_text"]

WIDTH = 99
"""The widest line, in characters, also on a wider terminal."""


@attrs.frozen
class Column:
    """The heading of a column; numbers stand at its right."""

    heading: str
    number: bool = False


@attrs.frozen
class Table:
    """A title, columns, rows of text, and what there is to say below them."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    note: str = ""


class Screen(Protocol):
    """Where the program shows things."""

    def say(self, text: str) -> None:
        """Show a line."""
        ...

    def show(self, table: Table) -> None:
        """Show a table; one without rows says so."""
        ...

    def progress(self, title: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """Show how far something is, for the length of a block; what it gives is called with each step's size."""
        ...


def best_screen() -> Screen:
    """Return the best screen that this machine has."""
    return RichScreen() if find_spec("rich") else PlainScreen()


class RichScreen:
    """Colours and lines."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(highlight=False)
        self._console.width = min(self._console.width, WIDTH)

    def say(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)

    def show(self, table: Table) -> None:
        from rich import box
        from rich.table import Table as RichTable
        from rich.text import Text

        drawn = RichTable(
            title=Text(table.title, style="bold"),
            caption=(table.note and Text(table.note)) or None,
            box=box.SIMPLE_HEAD,
            title_justify="left",
            caption_justify="left",
        )
        for column in table.columns:
            drawn.add_column(
                Text(column.heading),
                justify="right" if column.number else "left",
                no_wrap=column.number,
                style="cyan" if column.number else "",
            )
        for row in table.rows:
            drawn.add_row(*map(Text, row))
        self._console.print()
        self._console.print(drawn if table.rows else Text(f"{table.title}: none"))

    @contextmanager
    def progress(self, title: str, total: int) -> Generator[Callable[[int], None]]:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._console) as bar:
            task = bar.add_task(f"{title:<8}", total=total)
            yield lambda step: bar.advance(task, step)


class PlainScreen:
    """Text alone."""

    def say(self, text: str) -> None:
        print(text)

    def show(self, table: Table) -> None:
        if not table.rows:
            print(f"\n{table.title}: none")
            return
        lines = [[column.heading for column in table.columns], *table.rows]
        widths = _widths(lines)
        print(f"\n{table.title}")
        for line in lines:
            cells = [
                _cut(cell, width).rjust(width) if column.number else _cut(cell, width).ljust(width)
                for cell, width, column in zip(line, widths, table.columns, strict=True)
            ]
            print("  ".join(cells).rstrip())
        if table.note:
            print(table.note)

    @contextmanager
    def progress(self, title: str, total: int) -> Generator[Callable[[int], None]]:
        done = 0

        def advance(step: int) -> None:
            nonlocal done
            done += step
            if sys.stdout.isatty():
                print(f"\r{title} {done} of {total}", end="", flush=True)

        yield advance
        print(f"\r{title} {done} of {total}")


def _widths(lines: Sequence[Sequence[str]]) -> list[int]:
    """Return how wide each column is; the widest gives way where a line would be too long."""
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    excess = sum(widths) + 2 * (len(widths) - 1) - WIDTH
    if excess > 0:
        widest = widths.index(max(widths))
        widths[widest] = max(1, widths[widest] - excess)
    return widths


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else text[: size - 1] + "…"


def bytes_text(size: int | None) -> str:
    """Return a number of bytes as people read it: `12.3 MB`; of None nothing."""
    if size is None:
        return ""
    number = float(size)
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"
