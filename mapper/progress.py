"""
A bar on the terminal for work that tells how far it is: `on_progress` of a load.

A description and a total go in; what is called with the number of rows done comes out. It is drawn by `rich`, which is
imported here alone, when a bar is begun.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mapper.errors import QueryError

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["rich_progress"]


@contextmanager
def rich_progress(
    description: str, *, total: int | None = None, done: int = 0, console: "Console | None" = None
) -> Generator[Callable[[int], None]]:
    """
    Draw a bar for the length of a block: `with rich_progress("posts", total=n) as progress`, and then
    `await blog.load(Posts, source, on_progress=progress)`.

    It shows the description, rows done, their rate, and with a total how much is left and for how long. The bar stays
    as it is when the block is left, also by an error.

    Args:
        description: Shown as it is given; markup has no meaning in it.
        total: Rows that are expected; None where nobody knows.
        done: Rows that are done before: `start` of a load that goes on.
        console: Where it is drawn; standard error without one.

    Raises:
        QueryError: `rich` is not installed.
    """
    try:
        from rich import progress as bars
        from rich.console import Console
        from rich.markup import escape
    except ImportError as error:
        raise QueryError(
            "rich_progress needs rich, which is not installed", hint='pip install "tbd-mapper[cli]"'
        ) from error
    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TextColumn("{task.fields[rate]}"),
        bars.TimeRemainingColumn(),
    )
    with bars.Progress(*columns, console=console or Console(stderr=True)) as drawn:
        task = drawn.add_task(escape(description), total=total, completed=done, rate="")

        def progress(rows_done: int) -> None:
            elapsed = drawn.tasks[task].elapsed
            rate = f"{(rows_done - done) / elapsed:,.0f} rows/s" if elapsed else ""
            drawn.update(task, completed=rows_done, rate=rate)

        yield progress
