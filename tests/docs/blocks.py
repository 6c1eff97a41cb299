"""
The python code blocks of a Markdown page.

The page's text goes in; out come its blocks and the lines that they start at, so that a traceback points into the page.
"""

import ast
import inspect
import re
import textwrap
from types import ModuleType
from typing import Any

import attrs

FENCE = re.compile(r"^(?P<indent>[ >]*)(?P<ticks>`{3,}|~{3,})\s*(?P<language>[\w+-]*)")
NO_RUN = re.compile(r"<!--\s*no-run(?::\s*(?P<reason>.*?))?\s*-->")


class UnclosedBlock(Exception):
    """A fence that is opened and never closed."""


class NoReason(Exception):
    """A block that is not to be run, and does not say why."""


@attrs.frozen
class Block:
    """
    Attributes:
        line: Number of the first line of code in the page.
        code: The code, dedented.
        no_run: Why the block is not run, or None when it is.
    """

    line: int
    code: str
    no_run: str | None = None


def blocks(page: str) -> list[Block]:
    """
    Find the blocks that are fenced as `python`, in order.

    Raises:
        UnclosedBlock: The page ends inside a fence.
        NoReason: `<!-- no-run -->` without a colon and a reason.
    """
    lines = page.splitlines()
    found: list[Block] = []
    number = 0
    while number < len(lines):
        fence = FENCE.match(lines[number])
        if fence is None:
            number += 1
            continue
        end = _end(lines, number, fence["ticks"])
        if fence["language"] == "python":
            indent = len(fence["indent"])
            code = textwrap.dedent("\n".join(line[indent:] for line in lines[number + 1 : end])) + "\n"
            found.append(Block(number + 2, code, _no_run(lines, number)))
        number = end + 1
    return found


def _end(lines: list[str], start: int, ticks: str) -> int:
    for number in range(start + 1, len(lines)):
        text = lines[number].strip(" >")
        if text.startswith(ticks) and not text.strip(ticks[0]):
            return number
    raise UnclosedBlock(f"line {start + 1}: the block is never closed")


def _no_run(lines: list[str], fence: int) -> str | None:
    mark = NO_RUN.search(lines[fence - 1]) if fence else None
    if mark is None:
        return None
    if not mark["reason"]:
        raise NoReason(f"line {fence}: a block that is not run needs a reason\nHINT: write <!-- no-run: the reason -->")
    return mark["reason"]


async def run(block: Block, module: ModuleType, filename: str) -> None:
    """Run the block in the module's namespace; `await`, `async for` and `async with` may stand at its top level."""
    tree = ast.increment_lineno(ast.parse(block.code, filename), block.line - 1)
    code = compile(tree, filename, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    pending: Any = eval(code, vars(module))
    if code.co_flags & inspect.CO_COROUTINE:
        await pending
