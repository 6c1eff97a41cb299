"""
What waits for the driver: tags that must be changed still, and marks of writers that may have been left behind.

Tags and tokens go in when the driver could not be told; what is to be done comes out; what was done goes in again. It
has no I/O. Both are bounded: too many tags become the epoch, which stands for all of them; of too many marks the oldest
are let go, since a driver takes marks away by itself after a while.
"""

from collections.abc import Mapping, Sequence
from typing import Final

__all__ = ["MOST_MARKS", "MOST_TAGS", "Pending"]

MOST_TAGS: Final = 10_000
MOST_MARKS: Final = 1_000


class Pending:
    """
    Invalidations that wait.

    Args:
        epoch: The tag that stands for all others.
        most_tags, most_marks: How many are kept.

    Attributes:
        waiting: The tags that wait, each with the number of the last demand for it; for looking at.
        marks: The tags of each writer's marks, by its token.
    """

    __slots__ = ("_epoch", "_most_marks", "_most_tags", "_sequence", "marks", "waiting")

    def __init__(self, epoch: str, *, most_tags: int = MOST_TAGS, most_marks: int = MOST_MARKS) -> None:
        self._epoch = epoch
        self._most_tags = most_tags
        self._most_marks = most_marks
        self._sequence = 0
        # The numbers are there so that what is done is not taken for a later demand.
        self.waiting: dict[str, int] = {}
        self.marks: dict[bytes, Sequence[str]] = {}

    def __len__(self) -> int:
        """Return how many tags wait."""
        return len(self.waiting)

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits, neither tags nor marks."""
        return not self.waiting and not self.marks

    @property
    def tags(self) -> dict[str, int]:
        """Return a copy of the tags that wait, each with a number that `done` wants back."""
        return dict(self.waiting)

    def covers(self, tags: Sequence[str]) -> bool:
        """Whether one of these tags waits, or all do."""
        waiting = self.waiting
        return self._epoch in waiting or any([each in waiting for each in tags])

    def among(self, tags: Sequence[str]) -> dict[str, int]:
        """Return those of these tags that wait, as `tags` does."""
        waiting = self.waiting
        return {each: waiting[each] for each in tags if each in waiting} if waiting else {}

    def add(self, tags: Sequence[str]) -> bool:
        """Have tags wait; False where they are too many by now, and the epoch waits in the place of all."""
        self._sequence += 1
        self.waiting.update(dict.fromkeys(tags, self._sequence))
        if len(self.waiting) <= self._most_tags:
            return True
        self.waiting = {self._epoch: self._sequence}
        return False

    def done(self, tags: Mapping[str, int]) -> None:
        """Let go of tags that were changed, unless that was asked for again since their numbers were given."""
        for tag, sequence in tags.items():
            if self.waiting.get(tag) == sequence:
                del self.waiting[tag]

    def leave(self, token: bytes, tags: Sequence[str]) -> None:
        """Have a writer's marks taken away later. Of too many the oldest are forgotten, which run out by themselves."""
        if token not in self.marks and len(self.marks) >= self._most_marks:
            del self.marks[next(iter(self.marks))]
        self.marks[token] = tags

    def taken(self, token: bytes) -> None:
        """Let go of marks that are not there any more."""
        self.marks.pop(token, None)
