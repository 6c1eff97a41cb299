"""
`Cache`: what users make. It puts a driver, policies and the protocol together, and wraps gateways.
"""

import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Final, Self

import anyio

from mapper.cache.background import Background, Spawn
from mapper.cache.committing import Commits, Invalidating
from mapper.cache.driver import CacheDriver
from mapper.cache.events import CacheListener, CacheStatistics, Events
from mapper.cache.gateway import CachedGateway
from mapper.cache.keeper import FLUX_SECONDS, MARGIN, Keeper, Marked
from mapper.cache.keys import Names, canonical_key, table_of
from mapper.cache.outbox import Outbox
from mapper.cache.reading import Reader
from mapper.cache.writes import Changes
from mapper.caching import (
    CachePolicy,
    Duration,
    FailureMode,
    InvalidationMode,
    checked_choice,
    require_tag,
    seconds,
)
from mapper.errors import CacheConfigError, QueryError
from mapper.gateway import Gateway
from mapper.relation import info

__all__ = ["Cache"]

GRACE: Final = 10.0
"""Seconds after which a note of an outbox counts as left behind."""

RELAY_SECONDS: Final = 5.0


class Cache:
    """
    A cache in front of gateways and of other sources, which serves nothing that a commit has made untrue.

    A read that starts after a commit returned is never served a result older than that commit, by any process that
    shares the driver's server, the namespace and this protocol. What is written past it, by other programs or by
    triggers that change relations which the statement does not name, it cannot know: `invalidate` tells it.

    Args:
        driver: Where results are kept.
        namespace: What all names begin with: letters, digits and `_ - .`. Caches of one namespace are one.
        policy: How results are kept; None keeps only those of `policies`.
        policies: By relation; None as a policy keeps none of that relation.
        invalidation: `two_phase` marks what is about to change before each commit, so that not even a process that dies
            behind its commit leaves something untrue; `after_commit` does not; `outbox` leaves word in the same
            transaction, in a table that `push_schema` makes and `relay` reads. Without it, the strictest that the
            driver can.
        on_invalidation_failure: What happens where the driver cannot be told of a commit. `pending`: it is told later,
            and this process reads past what is untrue meanwhile. `raise`: that too, and the commit raises
            `CacheInvalidationError`. `refuse`: nothing is committed that could not be marked before, so that even a
            network that is cut in two leaves nothing untrue; it needs `two_phase`.
        scope: What else tells results apart: a tenant, where the store shows each one other rows.
        version: Of the application: what another version kept is not read.
        verify_sample: The share of hits that are compared with the store, behind the read; differences are events of the
            kind `inconsistent`.
        on_background: Runs work behind an answer, where tasks of the event loop do not outlive it.
        flux_seconds: How long a commit may take from the mark to its end before its process is taken for dead.

    Raises:
        CacheConfigError: The driver cannot do what is asked for, or an argument is wrong.
    """

    def __init__(
        self,
        driver: CacheDriver,
        *,
        namespace: str,
        policy: CachePolicy | None = CachePolicy(),  # noqa: B008  # a frozen value
        policies: Mapping[Any, CachePolicy | None] | None = None,
        invalidation: InvalidationMode | None = None,
        on_invalidation_failure: FailureMode = "pending",
        scope: str = "",
        version: int | str = "",
        verify_sample: float = 0.0,
        on_background: Spawn | None = None,
        flux_seconds: Duration = FLUX_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        mode = _mode(driver, invalidation, on_invalidation_failure)
        if policy is not None and not isinstance(policy, CachePolicy):
            raise CacheConfigError(f"policy is {policy!r}, expected a CachePolicy or None")
        if not isinstance(scope, str):
            raise CacheConfigError(f"scope is {scope!r}, expected text")
        if isinstance(verify_sample, bool) or not 0 <= verify_sample <= 1:
            raise CacheConfigError(f"verify_sample is {verify_sample!r}, expected a share from 0 to 1")
        flux = seconds(flux_seconds, "flux_seconds")
        if flux <= 0:
            raise CacheConfigError("flux_seconds is 0, expected the seconds that a commit may take")
        self.driver = driver
        self.invalidation: InvalidationMode = mode
        self._names = Names(namespace)
        self._policy = policy
        self._policies = _by_table(policies or {})
        self._scope = (scope, str(version))
        self._events = Events()
        self._background = Background(on_background)
        self._keeper = Keeper(
            driver,
            self._names,
            self._events,
            self._background,
            invalidation=mode,
            on_failure=on_invalidation_failure,
            store_timeout=seconds((policy or CachePolicy()).store_timeout),
            flux_seconds=flux,
            margin=min(MARGIN, flux / 3),
            clock=clock,
        )
        self._reader = Reader(self._keeper, self._events, self._background, clock=clock, now=now, verify=verify_sample)
        outbox = Outbox(self._keeper, self._background, grace=GRACE) if mode == "outbox" else None
        self._commits = Commits(self._keeper, marks=mode == "two_phase", outbox=outbox)

    @property
    def namespace(self) -> str:
        """What all names begin with."""
        return self._names.namespace

    def wrap(self, gateway: Gateway) -> CachedGateway:
        """
        Return a gateway whose reads go through this cache, and whose commits it knows.

        All that writes to the store's relations must go through such a gateway, of any process.

        Raises:
            QueryError: It is no gateway.
            CacheConfigError: It has a cache already.
        """
        if not isinstance(gateway, Gateway):
            raise QueryError(f"wrap takes a gateway, not {gateway!r}")
        if isinstance(gateway, CachedGateway):
            raise CacheConfigError(f"{gateway!r} has a cache already", hint="wrap the gateway within, once")
        return CachedGateway(
            gateway,
            self._reader,
            self._commits,
            self._events,
            self._names,
            policy=self._policy,
            policies=self._policies,
            scope=self._scope,
        )

    async def invalidate(self, relation: Any = None, *, key: object = None, tag: str | None = None) -> None:
        """
        Have results read anew whose rows were changed past the cache.

        Args:
            relation: Whose rows.
            key: Of one row of it; a tuple where the key has several columns. Without, all of them count as changed.
            tag: Instead, a tag that queries were given: `query.cached(tags=("front",))`.

        Raises:
            CacheConfigError: Neither a relation nor a tag is given, or both, or a key of another form.
            CacheInvalidationError: The driver cannot be told, with `on_invalidation_failure="raise"`.
        """
        if (relation is None) == (tag is None) or (key is not None and relation is None):
            raise CacheConfigError(
                "invalidate takes a relation, with or without a key, or a tag",
                hint="invalidate(Posts), invalidate(Posts, key=3) or invalidate(tag=…)",
            )
        if tag is not None:
            require_tag(tag)
            await self._keeper.end(Marked([self._names.user(tag)]))
            return
        changes = Changes()
        if key is None:
            changes.relation(relation)
        else:
            described = info(relation)
            values = key if isinstance(key, tuple) else (key,)
            if len(values) != len(described.primary_key):
                raise CacheConfigError(f"{key!r} is no key of {described.relation.__name__}")
            if canonical_key(described, values) is None:
                changes.relation(relation)
            else:
                changes.row(relation, values)
        await self._keeper.end(Marked(self._commits.tags_of(changes)))

    async def clear(self, *, reclaim: bool | None = None) -> None:
        """
        Have everything read anew. It changes one tag, however much is kept.

        Args:
            reclaim: Whether the driver is then asked, behind it, to give the memory back at once, for which a server
                has to look through all of its keys. Without, entries stay until their time is over or the server needs
                the room; in a driver of this process they go at once.

        Raises:
            CacheInvalidationError: The driver cannot be told, with `on_invalidation_failure="raise"`.
        """
        await self._keeper.end(Marked([self._names.epoch]))
        self._events.tell("epoch")
        if self.driver.info.scope == "process" if reclaim is None else reclaim:
            self._background.start(self._reclaim())

    async def _reclaim(self) -> None:
        await self.driver.clear(self._names.entries)

    def changing(self, *relations: Any) -> "Invalidating":
        """
        Return a block in which rows of relations are written past the cache: by another library, say. They are marked
        before, and read anew after it.
        """
        changes = Changes()
        for each in relations:
            changes.relation(each)
        return Invalidating(self._commits, changes)

    @asynccontextmanager
    async def relaying(self, gateway: CachedGateway, *, every: Duration = RELAY_SECONDS) -> AsyncGenerator[None]:
        """
        Relay for as long as the block lasts: what commits wrote down whose processes died before they could tell the
        cache is done, with `invalidation="outbox"`.

        What fails is an event of the kind `error`, and tried again at the next turn.

        Args:
            gateway: What `wrap` gave.
            every: How long to wait from one turn to the next.

        Raises:
            CacheConfigError: The cache has no outbox, or the gateway is not one of this cache.
        """
        pause = seconds(every, "every")
        if pause <= 0:
            raise CacheConfigError("every is 0, expected the seconds from one turn to the next")
        outbox = self._commits.outbox
        if outbox is None:
            raise CacheConfigError("the cache has no outbox", hint='make it with invalidation="outbox"')
        if not isinstance(gateway, CachedGateway) or gateway._commits is not self._commits:
            raise CacheConfigError(f"{gateway!r} is not wrapped by this cache", hint="give what cache.wrap(…) returned")
        failed: Exception | None = None
        async with anyio.create_task_group() as group:
            group.start_soon(outbox.relay_for_ever, gateway.inner, pause, self._events)
            try:
                yield
            except Exception as error:
                failed = error
            group.cancel_scope.cancel()
        if failed is not None:
            raise failed

    def subscribe(self, listener: CacheListener) -> Callable[[], None]:
        """Have a listener called with each event; call what is returned to end it."""
        return self._events.subscribe(listener)

    def stats(self) -> CacheStatistics:
        """Return counts of events, and what is going on."""
        return CacheStatistics(
            dict(self._events.counts),
            dict(self._events.reasons),
            len(self._reader.flights),
            len(self._keeper.pending),
            self._background.running,
            self._keeper.breaker.state,
        )

    async def drain(self) -> None:
        """Wait for what goes on behind reads and commits. What is pending while the driver cannot be reached is waited for."""
        await self._background.drain()

    async def aclose(self) -> None:
        """Try once more what is pending, and close the driver. The cache can be used again."""
        if self._keeper.pending:
            await self._keeper.flush()
        await self.driver.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<Cache {self._names.namespace!r} on {self.driver.info.name}>"


def _mode(driver: Any, asked: object, on_failure: object) -> InvalidationMode:
    """Return how invalidations are made; the strictest that the driver can, unless another is asked for."""
    if not isinstance(driver, CacheDriver):
        raise CacheConfigError(f"{driver!r} is no cache driver", hint="give MemoryDriver(), or RedisDriver(url)")
    can_mark = "tags" in driver.info.features
    mode: Any = asked
    if mode is None:
        mode = "two_phase" if can_mark else "after_commit"
    checked_choice("invalidation", mode, InvalidationMode)
    checked_choice("on_invalidation_failure", on_failure, FailureMode)
    if mode == "two_phase" and not can_mark:
        raise CacheConfigError(
            f"the {driver.info.name} driver cannot mark tags before a commit",
            hint='use invalidation="after_commit" or "outbox"',
        )
    if on_failure == "refuse" and mode != "two_phase":
        raise CacheConfigError(
            f'on_invalidation_failure="refuse" needs marks before a commit, which {mode!r} does not make',
            hint='use invalidation="two_phase" with a driver that can',
        )
    return mode  # type: ignore[no-any-return]  # is one of them


def _by_table(policies: Mapping[Any, CachePolicy | None]) -> dict[str, CachePolicy | None]:
    found: dict[str, CachePolicy | None] = {}
    for relation, policy in policies.items():
        if policy is not None and not isinstance(policy, CachePolicy):
            raise CacheConfigError(f"the policy of {relation!r} is {policy!r}, expected a CachePolicy or None")
        found[table_of(info(info(relation).original))] = policy
    return found
