"""
Graphs of numbered nodes: what comes before what, where that goes in circles, and one order that fits.

For each node the set of nodes before it goes in; circles and orders come out. The results depend on the numbers alone.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import TypeVar

__all__ = ["circles", "ordered"]

K = TypeVar("K", bound=Hashable)


def circles(before: Sequence[set[int]]) -> dict[int, int]:
    """
    Number the circles: strongly connected components of several nodes, or of one that is before itself (Tarjan, 1972).

    Returns:
        The circle of each node that is in one.
    """
    found: dict[int, int] = {}
    number = 0
    for component in _components(before):
        if len(component) > 1 or component[0] in before[component[0]]:
            found.update(dict.fromkeys(component, number))
            number += 1
    return found


def _components(before: Sequence[set[int]]) -> Iterator[list[int]]:
    """Give strongly connected components, without recursion: a chain of rows may be longer than Python's stack."""
    order: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    on_stack: set[int] = set()
    for root in range(len(before)):
        if root in order:
            continue
        work: list[tuple[int, Iterator[int]]] = [_entered(root, before, order, low, stack, on_stack)]
        while work:
            node, rest = work[-1]
            following = next((each for each in rest if each not in order or each in on_stack), None)
            if following is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == order[node]:
                    yield _popped(node, stack, on_stack)
            elif following in order:
                low[node] = min(low[node], order[following])
            else:
                work.append(_entered(following, before, order, low, stack, on_stack))


def _entered(
    node: int,
    before: Sequence[set[int]],
    order: dict[int, int],
    low: dict[int, int],
    stack: list[int],
    on_stack: set[int],
) -> tuple[int, Iterator[int]]:
    order[node] = low[node] = len(order)
    stack.append(node)
    on_stack.add(node)
    return node, iter(sorted(before[node]))


def _popped(root: int, stack: list[int], on_stack: set[int]) -> list[int]:
    component = [stack.pop()]
    while component[-1] != root:
        component.append(stack.pop())
    on_stack.difference_update(component)
    return component


def ordered(before: Sequence[set[int]], kinds: Sequence[K], blockers: Mapping[K, Sequence[K]]) -> list[int]:
    """
    Order the nodes so that each comes after those before it; of several that could be next, the lowest.

    Args:
        before: Without circles.
        kinds: The kind of each node.
        blockers: For each kind the kinds whose nodes had better come first. A circle of these and `before` is broken at
            its lowest node.
    """
    order = _Order(before, kinds, blockers)
    return [order.take() for _ in before]


class _Order:
    """A topological sort in progress."""

    def __init__(self, before: Sequence[set[int]], kinds: Sequence[K], blockers: Mapping[K, Sequence[K]]) -> None:
        self.kinds: Sequence[Hashable] = kinds
        self.blockers: Mapping[Hashable, Sequence[Hashable]] = blockers  # type: ignore[assignment]  # only looked up
        self.waiting_for = [set(each) for each in before]
        self.after: list[list[int]] = [[] for _ in before]
        self.waiting: dict[Hashable, list[int]] = {}
        self.ready: dict[Hashable, list[int]] = {}
        self.left: dict[Hashable, int] = {}
        for node, earlier in enumerate(before):
            for each in earlier:
                self.after[each].append(node)
            self.left[kinds[node]] = self.left.get(kinds[node], 0) + 1
            (self.waiting if earlier else self.ready).setdefault(kinds[node], []).append(node)
        for heap in self.waiting.values():
            heapify(heap)

    def take(self) -> int:
        """Return the next node."""
        free = [heap[0] for kind, heap in self.ready.items() if heap and self._blocker(kind) is None]
        node = min(free) if free else self._lowest_of_a_circle()
        kind = self.kinds[node]
        heappop(self.ready[kind])
        self.left[kind] -= 1
        for each in sorted(self.after[node]):
            self.waiting_for[each].discard(node)
            if not self.waiting_for[each]:
                heappush(self.ready.setdefault(self.kinds[each], []), each)
        return node

    def _blocker(self, kind: Hashable) -> Hashable | None:
        return next((each for each in self.blockers.get(kind, ()) if self.left.get(each)), None)

    def _lowest_of_a_circle(self) -> int:
        """
        Walk back from what is ready, along blockers and nodes before, until a node comes again.

        Every node on the way is the first that is ready of its kind, so the circle can be broken at each.
        """
        path: list[int] = []
        node = min([heap[0] for heap in self.ready.values() if heap])
        while node not in path:
            path.append(node)
            kind = self._blocker(self.kinds[node])
            assert kind is not None
            node = self._ready_for(kind)
        return min(path[path.index(node) :])

    def _ready_for(self, kind: Hashable) -> int:
        """
        Return the ready node of a kind, or one that the first waiting node of that kind waits for, however far back.
        """
        if self.ready.get(kind):
            return self.ready[kind][0]
        heap = self.waiting[kind]
        while not self.waiting_for[heap[0]]:
            heappop(heap)
        node = heap[0]
        while self.waiting_for[node]:
            node = min(self.waiting_for[node])
        return self.ready[self.kinds[node]][0]
