"""What the harness itself relies on, without anything of the project."""

from collections.abc import AsyncIterator
from typing import Generic, reveal_type

from typing_extensions import TypeVar

T = TypeVar("T")
R = TypeVar("R", default=int)


class Box(Generic[T, R]):
    def __init__(self, value: T) -> None:
        self.value = value

    def put(self, value: T) -> "Box[T | None, R]":
        return Box(value)


async def numbers() -> AsyncIterator[int]:
    yield 1


async def main(box: Box[str]) -> None:
    reveal_type(box)  # revealed: Box[str, int]
    reveal_type(box.put("x"))  # revealed: Box[None | str, int]
    reveal_type(
        [
            box.put("x"),
            box.put("y"),
        ],
    )  # revealed: list[Box[str | None, int]]
    async for number in numbers():
        reveal_type(number)  # revealed: int
    box.put(3)  # error: an operand of another type
    box.put(
        3,
    )  # error
    box.values  # error: no such attribute
    reveal_type(box.put)  # revealed: (value: str) -> Box[str | None, int]
