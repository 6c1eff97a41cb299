"""
Every order in which concurrent code can run, one after the other, on an event loop that lets the search decide.

A scenario goes in: it makes a world, whose tasks come to points where they wait for their turn. Whenever nothing can run
without a turn being given, the search gives one; so a run is the list of the turns that were given, and the same list
gives the same run. Depth first, each list is run from the start.

Two turns that touch nothing in common give the same result in either order, and only one of the orders is run: sleep sets,
of Godefroid, "Partial-Order Methods for the Verification of Concurrent Systems". A state that was searched before is not
searched again, unless fewer turns were asleep than then. What comes out is complete with regard to the points.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, Final

from attrs import define, field, frozen

__all__ = ["Footprint", "Report", "ScheduledLoop", "Violation", "World", "explore", "replay"]

Footprint = frozenset[tuple[str, str]]
"""What a turn touched: pairs of a thing and how. Two turns conflict where they touch one thing, unless both did so in the same harmless way."""

EVERYTHING: Final = "*"
HARMLESS: Final = frozenset({"read", "told"})
"""Ways that do not conflict with themselves: reads, and notices that only add up."""

MOST_TURNS: Final = 400


class Violation(Exception):
    """What a history showed that must not be."""


@define(eq=False)
class Point:
    """Where a task waits for its turn, and how its turn can be."""

    name: str
    owner: str
    choices: Sequence[str]
    turn: "asyncio.Future[str]"


class ScheduledLoop(asyncio.BaseEventLoop):
    """An event loop without sockets, whose clock stands still and which asks its world what comes next when nothing can run."""

    def __init__(self, world: "World") -> None:
        super().__init__()
        self._world = world
        self._selector = self
        self.set_task_factory(world.made)
        self.set_exception_handler(world.unhandled)

    def time(self) -> float:
        return self._world.now

    def select(self, timeout: float | None) -> list[Any]:
        """Called by the loop: `timeout` is 0 where something can run, None where nothing ever will by itself."""
        if timeout != 0:
            self._world.idle(timeout)
        return []

    def _process_events(self, event_list: list[Any]) -> None:
        del event_list


class World(ABC):
    """
    One run: tasks, the points at which they wait, and a clock.

    Attributes:
        now: Seconds, which pass only in turns.
        turns: Asked for the next turn; None before and after the search, when nobody waits for one.
        touched: What the present turn has touched so far.
        violation: The first that was found.
        tasks: Those that have not ended, by their labels.
    """

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.turns: Search | None = None
        self.touched: set[tuple[str, str]] = set()
        self.violation: str | None = None
        self.tasks: dict[str, asyncio.Task[Any]] = {}
        self.points: dict[str, Point] = {}
        self.histories: dict[str, int] = {}
        self._children: dict[str, int] = {}
        self._counts: dict[str, int] = {}
        self._over: asyncio.Future[None] | None = None
        self._labels: dict[asyncio.Task[Any], str] = {}
        self.loop = ScheduledLoop(self)

    # -- what a scenario says ------------------------------------------------------------------------------------------

    @abstractmethod
    async def prepare(self) -> None:
        """Make what is there before the search begins, without turns."""

    @abstractmethod
    def begin(self) -> None:
        """Start the tasks whose orders are searched."""

    @abstractmethod
    def events(self) -> Mapping[str, Callable[[], None]]:
        """Return what may happen now beside the turns of tasks, by its name."""

    @abstractmethod
    def finished(self) -> bool:
        """Whether nothing that may happen can matter any more."""

    @abstractmethod
    def may_run(self, owner: str) -> bool:
        """Whether the tasks of an owner still run."""

    @abstractmethod
    def state(self) -> Hashable:
        """Return all that what happens next depends on, but for the tasks' own states."""

    @abstractmethod
    def shared(self, owner: str) -> Hashable:
        """Return what the tasks of an owner share."""

    @abstractmethod
    def owners(self) -> Sequence[str]:
        """Return the owners of tasks."""

    # -- for tasks -----------------------------------------------------------------------------------------------------

    def label(self) -> str:
        """Return the label of the running task: that of the task that started it, and a number."""
        try:
            task = asyncio.current_task()
        except RuntimeError:
            return ""
        return "" if task is None else self._labels.get(task, "")

    def made(self, loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> "asyncio.Task[Any]":
        """Make a task; the loop's task factory."""
        parent = self.label()
        number = self._children[parent] = self._children.get(parent, 0) + 1
        task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **options)
        self.adopt(task, f"{parent}.{number}" if parent else f"+{number}")
        return task

    def start(self, label: str, coroutine: Any) -> None:
        """Start a task under a label of its own."""
        task = self.loop.create_task(coroutine)
        self.tasks.pop(self._labels[task], None)
        self.adopt(task, label)

    def adopt(self, task: "asyncio.Task[Any]", label: str) -> None:
        """Know a task by a label."""
        self._labels[task] = label
        self.tasks[label] = task
        self.histories[label] = 0
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        label = self._labels[task]
        if self.tasks.pop(label, None) is None:
            return
        # What it did lives on in those who waited for it, whoever that was.
        past = self.histories.pop(label)
        owner = owner_of(label)
        for each in self.histories:
            if owner_of(each) == owner:
                self.histories[each] = hash((self.histories[each], label, past))

    def touch(self, thing: str, way: str) -> None:
        """Take note of what the present turn touches."""
        self.touched.add((thing, way))

    def learn(self, value: Hashable) -> None:
        """Take note of what the running task got to know."""
        label = self.label()
        if label in self.histories:
            self.histories[label] = hash((self.histories[label], value))

    async def point(self, owner: str, what: str, choices: Sequence[str] = ("",)) -> str:
        """
        Wait for a turn.

        Returns:
            How it is: one of the choices.
        """
        if self.turns is None:
            return choices[0]
        label = self.label()
        number = self._counts[label] = self._counts.get(label, 0) + 1
        name = f"{label}#{number}:{what}"
        point = Point(name, owner, choices, self.loop.create_future())
        self.points[name] = point
        try:
            chosen = await point.turn
        finally:
            self.points.pop(name, None)
        self.learn((name, chosen, self.shared(owner)))
        return chosen

    async def never(self) -> None:
        """Wait until the search is over."""
        if self._over is not None:
            await asyncio.wait((self._over,))

    # -- for the loop --------------------------------------------------------------------------------------------------

    def unhandled(self, loop: object, context: Mapping[str, Any]) -> None:
        """Take an exception that nobody handles; the loop's handler."""
        del loop
        self.found(f"nobody handles {context.get('exception') or context.get('message')!r}")

    def found(self, what: str) -> None:
        """Take a violation, if it is one of the search."""
        if self.turns is not None and self.violation is None:
            self.violation = what

    def idle(self, timeout: float | None) -> None:
        """Let something happen: nothing can run by itself."""
        if self.turns is not None:
            if self.turns.next(self):
                return
            self.turns = None
            assert self._over is not None
            self._over.set_result(None)
            for point in list(self.points.values()):
                if not point.turn.done():
                    point.turn.set_result(point.choices[0])
        elif timeout is not None:
            self.now += timeout
        else:
            raise Violation(f"nothing goes on, and these wait: {sorted(self.tasks)}")

    def enabled(self) -> dict[str, Callable[[], None]]:
        """Return what can happen now, by its name, in one order."""
        found: dict[str, Callable[[], None]] = {}
        for point in self.points.values():
            if self.may_run(point.owner):
                for each in point.choices:
                    found[point.name + each] = _giving(self, point, each)
        found.update(self.events())
        return found

    def passes(self) -> None:
        """Let the time pass until the next timer: nothing else can happen."""
        self.touch(EVERYTHING, "write")
        timers: Any = [each.when() for each in self.loop._scheduled if not each.cancelled()]  # type: ignore[attr-defined]  # the loop's own
        self.now = max(self.now, min(timers))

    def has_timers(self) -> bool:
        """Whether something will run by itself if time passes."""
        return any(not each.cancelled() for each in self.loop._scheduled)  # type: ignore[attr-defined]  # the loop's own

    def run(self, search: "Search") -> None:
        """Run to the end."""
        asyncio.set_event_loop(None)
        try:
            self.loop.run_until_complete(self._run(search))
        finally:
            self.loop.close()

    async def _run(self, search: "Search") -> None:
        await self.prepare()
        self.tasks.clear()
        self.histories.clear()
        self.touched.clear()
        self._over = self.loop.create_future()
        self.turns = search
        self.begin()
        await self._over
        while self.tasks:
            await asyncio.wait(self.tasks.values())


def _giving(world: World, point: Point, choice: str) -> Callable[[], None]:
    def give() -> None:
        world.touch(f"task {point.name.split('#')[0]}", "write")
        world.touch(f"life of {point.owner}", "read")
        point.turn.set_result(choice)

    return give


def owner_of(label: str) -> str:
    """Return to whom a task belongs: labels begin with `owner/`."""
    return label.split("/")[0]


def conflict(one: Iterable[tuple[str, str]], other: Footprint) -> bool:
    """Whether the order of two turns matters."""
    ways: dict[str, set[str]] = {}
    for thing, way in other:
        ways.setdefault(thing, set()).add(way)
    if EVERYTHING in ways:
        return True
    for thing, way in one:
        if thing == EVERYTHING:
            return True
        against = ways.get(thing)
        if against is not None and not (way in HARMLESS and against == {way}):
            return True
    return False


@define(eq=False)
class Node:
    """
    A state of the search: what can happen in it, and what of that was tried.

    Attributes:
        asleep: What need not be tried, with what it touches: an order that is no different was searched before.
        done: What was tried.
        chosen: What is being tried.
        touched: What that touches, once it has run.
    """

    enabled: Sequence[str]
    asleep: dict[str, Footprint]
    chosen: str = ""
    done: dict[str, Footprint] = field(factory=dict)
    touched: Footprint = frozenset()

    def advance(self) -> bool:
        """Choose what was not tried yet; False where there is nothing."""
        if self.chosen:
            self.done[self.chosen] = self.touched
        for each in self.enabled:
            if each not in self.asleep and each not in self.done:
                self.chosen = each
                return True
        return False

    def asleep_after(self) -> dict[str, Footprint]:
        """Return what is asleep once what is being tried has run."""
        return {
            name: touched
            for name, touched in {**self.asleep, **self.done}.items()
            if name != self.chosen and not conflict(touched, self.touched)
        }


@frozen
class Report:
    """
    What a search found.

    Attributes:
        histories: Runs to the end.
        cut: Runs that were ended early, since what would follow was searched before.
        turns: Given in all of them.
        complete: Whether nothing was left out.
        violation, history: The first violation, and the turns that led to it.
    """

    histories: int
    cut: int
    turns: int
    complete: bool
    violation: str | None = None
    history: Sequence[str] = ()

    def __str__(self) -> str:
        told = f"{self.histories} histories, {self.cut} cut, {self.turns} turns"
        if self.violation is None:
            return told if self.complete else f"{told}, not complete"
        return "\n".join([self.violation, *[f"  {each}" for each in self.history], told])


class Search:
    """
    A search, depth first.

    Args:
        reduced: Whether orders are left out that are no different from others.
    """

    def __init__(self, *, reduced: bool = True) -> None:
        self._reduced = reduced
        self.path: list[Node] = []
        self.turns = 0
        self.was_cut = False
        self._depth = 0
        self._before: dict[str, Hashable] = {}
        self._seen: dict[Hashable, list[frozenset[str]]] = {}

    def start(self) -> None:
        """Begin a run."""
        self._depth = 0
        self._before = {}
        self.was_cut = False

    def next(self, world: World) -> bool:
        """Give the next turn; False where the run ends."""
        shared = {each: world.shared(each) for each in world.owners()}
        if self._depth:
            self._close(world, shared)
        self._before = shared
        if world.violation is not None or world.finished():
            return False
        found = world.enabled()
        if not found:
            if not world.has_timers():
                world.found(f"nothing goes on, and these wait: {sorted(world.tasks)}")
                return False
            found = {"time passes": world.passes}
        if self._depth == len(self.path) and not self._open(world, list(found)):
            self.was_cut = True
            return False
        node = self.path[self._depth]
        self._depth += 1
        if self._depth > MOST_TURNS:
            world.found(f"it does not end: {MOST_TURNS} turns were given")
            return False
        self.turns += 1
        world.touched.clear()
        found[node.chosen]()
        return True

    def _close(self, world: World, shared: Mapping[str, Hashable]) -> None:
        """Take note of what the turn that has just ended touched."""
        node = self.path[self._depth - 1]
        for owner, state in shared.items():
            if state != self._before[owner]:
                world.touch(f"shared by {owner}", "write")
            elif (f"life of {owner}", "read") in world.touched:
                world.touch(f"shared by {owner}", "read")
        node.touched = frozenset(world.touched)

    def _open(self, world: World, enabled: Sequence[str]) -> bool:
        """Reach a new state; False where nothing new can follow."""
        asleep = self.path[-1].asleep_after() if self.path and self._reduced else {}
        node = Node(enabled, asleep)
        if not node.advance():
            return False
        self.path.append(node)
        if not self._reduced:
            return True
        state = (world.state(), world.now, tuple(sorted(world.histories.items())), tuple(sorted(world.points)))
        names = frozenset(asleep)
        before = self._seen.setdefault(state, [])
        if any(each <= names for each in before):
            self.path.pop()
            return False
        before.append(names)
        return True

    def back(self) -> bool:
        """Go back to the last state where something was not tried yet; False where there is none."""
        while self.path:
            if self.path[-1].advance():
                return True
            self.path.pop()
        return False


def explore(make: Callable[[], World], *, most: int, reduced: bool = True) -> Report:
    """
    Run every order, until one shows a violation.

    Args:
        make: Makes the world of one run, the same each time.
        most: Runs after which to give up.
        reduced: Whether to leave out what is no different from what was searched.
    """
    search = Search(reduced=reduced)
    histories = cut = 0
    while True:
        search.start()
        world = make()
        world.run(search)
        if search.was_cut:
            cut += 1
        else:
            histories += 1
        if world.violation is not None:
            history = [each.chosen for each in search.path[: search._depth]]
            return Report(histories, cut, search.turns, False, world.violation, history)
        if not search.back():
            return Report(histories, cut, search.turns, True)
        if histories + cut >= most:
            return Report(histories, cut, search.turns, False)


def replay(make: Callable[[], World], turns: Sequence[str]) -> str | None:
    """
    Run one order: the turns that are given, and then whatever comes first.

    Returns:
        The violation, or None.

    Raises:
        KeyError: One of the turns cannot be given when it is due.
    """
    search = Search(reduced=False)
    search.path = [Node((), {}, each) for each in turns]
    search.start()
    world = make()
    world.run(search)
    return world.violation
