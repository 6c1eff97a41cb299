"""
Programs: work of several operations that decides by itself what comes next, without doing any I/O.

A program is a generator: it yields operations, and is sent their results or thrown their errors. `driven` runs one,
`through` makes another of it.
"""

from collections.abc import Awaitable, Callable, Generator
from typing import TypeAlias

from typing_extensions import TypeVar

from mapper.operations import Operation, Result

__all__ = ["Program", "alone", "driven", "through"]

T = TypeVar("T")

Program: TypeAlias = Generator[Operation, Result, T]
"""
Work of several operations without I/O of its own: it yields an operation and is sent its result, or has its error
thrown in.

Whoever drives it decides how: awaiting each operation, or all of it in one visit to the store's thread.
"""


def alone(operation: Operation) -> Program[Result]:
    """Return a program of one operation."""
    result = yield operation
    return result


async def driven(
    program: Program[T],
    run: Callable[[Operation], Awaitable[Result]],
    handed: type[BaseException] = BaseException,
) -> T:
    """
    Run a program to its end, one operation after the other, and return its value.

    Args:
        run: Runs an operation.
        handed: Errors of this class are handed to the program, which may clean up; others are raised at once, and leave
            it as it is: closing it is the caller's then.
    """
    result: Result | None = None
    error: BaseException | None = None
    try:
        while True:
            try:
                operation = program.throw(error) if error is not None else program.send(result)  # type: ignore[arg-type]  # the first send is None
            except StopIteration as stop:
                value: T = stop.value
                return value
            result, error = None, None
            try:
                result = await run(operation)
            except handed as caught:
                error = caught
    finally:
        del error  # which knows this frame


def through(program: Program[T], run: Callable[[Operation], Program[Result]]) -> Program[T]:
    """Return a program that does the same, each of its operations in the way that `run` gives for it."""
    result: Result | None = None
    error: BaseException | None = None
    try:
        while True:
            try:
                operation = program.throw(error) if error is not None else program.send(result)  # type: ignore[arg-type]  # the first send is None
            except StopIteration as stop:
                value: T = stop.value
                return value
            result, error = None, None
            try:
                result = yield from run(operation)
            except Exception as caught:
                error = caught
    finally:
        program.close()
