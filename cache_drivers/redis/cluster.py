"""
The servers of a cluster: which has which slots, and what to do when slots have moved.

Commands with their slots go in; each goes to its server, all servers at once, and where a server names another one the
command goes there.
"""

import asyncio
from binascii import crc_hqx
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from hashlib import blake2b
from typing import Any, Final, TypeVar

from cache_drivers.redis.connecting import Address, Connecting
from cache_drivers.redis.pool import Pool
from cache_drivers.redis.replies import error_of
from cache_drivers.redis.routing import Command
from cache_drivers.redis.wire import Refusal, Reply, packed
from mapper.errors import CacheDriverError, CacheProtocolError, CacheUnavailable

__all__ = ["ASK_LAYOUT", "Cluster", "key_slot"]

T = TypeVar("T")

SLOTS: Final = 16384
ATTEMPTS: Final = 5
AT_ONCE: Final = 3
"""Servers that are asked at once where slots are."""

PAUSE_SECONDS: Final = 0.01
"""Between attempts while keys of a slot are on their way to another server."""

ASK_LAYOUT: Final = packed("CLUSTER", "SLOTS")
ASKING: Final = packed("ASKING")
ASK_EPOCH: Final = packed("CLUSTER", "INFO")


def key_slot(key: str) -> int:
    """Return the slot of a key: that of what stands in its first braces, where anything does (cluster specification)."""
    data = key.encode()
    start = data.find(b"{")
    if start >= 0 and (end := data.find(b"}", start + 1)) > start + 1:
        data = data[start + 1 : end]
    return crc_hqx(data, 0) % SLOTS


class Cluster:
    """
    The way to the servers of a cluster.

    Args:
        seeds: How to reach some of its servers.
        limit: How many connections there may be to each.
        opened: Called for each that was opened.
        moved: What makes of an address that servers name the one to connect to.
    """

    def __init__(
        self,
        seeds: Sequence[Connecting],
        limit: int,
        opened: Callable[[], None],
        moved: Callable[[Address], Address] | None = None,
    ) -> None:
        self._seeds = seeds
        self._limit = limit
        self._opened = opened
        self._moved = moved
        self._pools: dict[Address, Pool] = {}
        self._layout: list[tuple[int, int, Address]] = []
        self._slots: dict[int, Address] = {}
        self._away: set[Address] = set()
        self._named: Address | None = None
        self._stale = True
        self._closed = False
        self._asking = asyncio.Lock()

    def slot(self, key: str) -> int:
        """Return the slot of a key."""
        return key_slot(key)

    async def run(self, commands: Sequence[Command]) -> list[Reply]:
        """
        Send commands, to all servers at once, and return their replies in their order.

        Raises:
            CacheUnavailable: A server is away; what others answered is lost. Or slots keep moving.
        """
        replies: list[Reply] = [None] * len(commands)
        todo = list(range(len(commands)))
        for attempt in range(ATTEMPTS):
            if self._stale:
                await self.refresh()
            todo = await self._attempt(commands, todo, replies)
            if not todo:
                return replies
            if any(replies[each].code == "TRYAGAIN" for each in todo):
                await asyncio.sleep(PAUSE_SECONDS * 2**attempt)
        raise CacheUnavailable(f"slots of the redis cluster kept moving over {ATTEMPTS} attempts")

    async def primaries(self) -> list[Pool]:
        """Return the servers that have slots, as they are now."""
        await self.refresh()
        return [self._pool(address) for address in sorted({address for *_, address in self._layout})]

    async def identity(self) -> str:
        """Return a digest of the runs and histories of all primaries, and of the cluster's epoch."""
        pools = await self.primaries()
        states = [state.identity for state in await self._all([pool.state for pool in pools])]
        answers = await self._all([partial(pool.run, ASK_EPOCH) for pool in pools])
        epoch = max(_epoch(answer) for (answer,) in answers)
        return f"{blake2b('|'.join(sorted(states)).encode(), digest_size=20).hexdigest()}:{epoch}"

    async def aclose(self) -> None:
        """Close all connections."""
        self._closed = True
        pools, self._pools = list(self._pools.values()), {}
        await asyncio.gather(*(pool.aclose() for pool in pools))

    async def refresh(self) -> None:
        """
        Ask where slots are: a few servers at once, first one that another has named, last those that did not answer.

        Raises:
            CacheDriverError: None of them answers.
        """
        async with self._asking:
            seeds = [_address(each) for each in self._seeds]
            known = dict.fromkeys([*self._hinted(), *(address for *_, address in self._layout), *seeds])
            addresses = sorted(known, key=self._away.__contains__)
            error: CacheDriverError | None = None
            for first in range(0, len(addresses), AT_ONCE):
                error = await self._learn_of(addresses[first : first + AT_ONCE])
                if error is None:
                    return await self._forget(seeds)
            raise error or CacheUnavailable("no server of the redis cluster is known")

    async def _learn_of(self, addresses: Sequence[Address]) -> CacheDriverError | None:
        """Learn where slots are of the first of some servers that answers; return an error where none does."""
        tasks = {asyncio.create_task(self._asked(address, ASK_LAYOUT, 1)): address for address in addresses}
        error: CacheDriverError | None = None
        waiting = set(tasks)
        try:
            while waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    try:
                        self._learn(task.result()[0], tasks[task][0])
                    except CacheDriverError as failed:
                        error = failed
                    else:
                        return None
            return error
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _hinted(self) -> list[Address]:
        named, self._named = self._named, None
        return [] if named is None else [named]

    def address_of(self, said: Sequence[Any], asked: str) -> Address:
        """Return the address that a server named; one without a host is at the host that was asked."""
        host = said[0].decode() if said[0] else ""
        address = (asked if host in ("", "?") else host, int(said[1]))
        return self._moved(address) if self._moved is not None else address

    def _learn(self, said: Reply, asked: str) -> None:
        if isinstance(said, Refusal):
            raise error_of(said, "CLUSTER SLOTS")
        try:
            layout = [(int(first), int(last), self.address_of(primary, asked)) for first, last, primary, *_ in said]
        except (TypeError, ValueError, IndexError, AttributeError) as error:
            raise CacheProtocolError("the redis server answered CLUSTER SLOTS with what is no layout") from error
        if not layout:
            raise CacheUnavailable("the redis server has no slots and knows of no server that has")
        self._layout = sorted(layout)
        self._slots = {slot: address for first, last, address in layout for slot in range(first, last + 1)}
        self._stale = False

    async def _forget(self, seeds: Sequence[Address]) -> None:
        """Close connections to servers that have no slots any more."""
        known = {address for *_, address in self._layout} | {*seeds}
        gone = [self._pools.pop(address) for address in list(self._pools) if address not in known]
        await asyncio.gather(*(pool.aclose() for pool in gone))

    def _pool(self, address: Address) -> Pool:
        pool = self._pools.get(address)
        if pool is None:
            if self._closed:
                raise CacheUnavailable("the redis driver was closed meanwhile")
            self._pools[address] = pool = Pool(self._seeds[0].at(address), self._limit, self._opened)
        return pool

    async def _attempt(self, commands: Sequence[Command], todo: list[int], replies: list[Reply]) -> list[int]:
        """Send some of the commands; fill in their replies, and return those that are to be sent again."""
        by_server: dict[Address, list[int]] = {}
        for each in todo:
            address = self._slots.get(commands[each].slot)
            if address is None:
                self._stale = True
                raise CacheUnavailable("no server of the redis cluster has the slot of a key")
            by_server.setdefault(address, []).append(each)
        again: list[int] = []
        servers = [partial(self._part, address, commands, positions) for address, positions in by_server.items()]
        for (address, positions), answers in zip(by_server.items(), await self._all(servers), strict=True):
            for each, answer in zip(positions, answers, strict=True):
                replies[each] = await self._followed(commands[each], answer, address[0])
                if isinstance(replies[each], Refusal) and replies[each].code in ("MOVED", "ASK", "TRYAGAIN"):
                    again.append(each)
        return again

    async def _part(self, address: Address, commands: Sequence[Command], positions: list[int]) -> list[Reply]:
        data = b"".join([commands[each].data for each in positions])
        return await self._asked(address, data, len(positions))

    async def _asked(self, address: Address, data: bytes, count: int) -> list[Reply]:
        """Send commands to a server, and remember whether it answered."""
        try:
            replies = await self._pool(address).run(data, count)
        except CacheDriverError:
            self._away.add(address)
            raise
        self._away.discard(address)
        return replies

    async def _followed(self, command: Command, answer: Reply, asked: str) -> Reply:
        """Return an answer; where a server names another one for this time, that one's. Note what has moved."""
        if not isinstance(answer, Refusal) or answer.code not in ("MOVED", "ASK", "CLUSTERDOWN"):
            return answer
        self._stale = self._stale or answer.code != "ASK"
        if answer.code == "CLUSTERDOWN":
            return answer
        host, _, port = answer.text.split(" ")[-1].rpartition(":")
        if not port.isdigit():
            raise CacheProtocolError(f"the redis server answered {answer.code} without an address")
        target = self.address_of((host.encode(), port), asked)
        if answer.code == "MOVED":
            self._named = target
            return answer
        return (await self._asked(target, ASKING + command.data, 2))[1]

    async def _all(self, parts: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
        """Wait for all, whatever happens to some; where one fails, ask for the layout before the next command."""
        if len(parts) == 1:
            results = [await self._guarded(parts[0])]
        else:
            results = await asyncio.gather(*(self._guarded(part) for part in parts))
        done: list[T] = []
        for result in results:
            if isinstance(result, CacheDriverError):
                raise result
            done.append(result)
        return done

    async def _guarded(self, part: Callable[[], Awaitable[T]]) -> T | CacheDriverError:
        try:
            return await part()
        except CacheDriverError as error:
            self._stale = True
            return error


def _address(connecting: Connecting) -> Address:
    return connecting.host, int(connecting.settings.get("port", 6379))


def _epoch(said: Reply) -> int:
    """Return the epoch out of what a server says of its cluster; 0 where it does not tell."""
    if not isinstance(said, bytes):
        return 0
    lines = dict(line.split(":", 1) for line in said.decode(errors="replace").splitlines() if ":" in line)
    return int(lines.get("cluster_current_epoch", 0))
