"""
Reads through a cache from any other source: another library, a service, files.

A function that reads goes in; what it reads comes out, from the cache while it is true. The protocol is that of
gateways; who writes says so.
"""

import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Generic, TypeAlias

import anyio
from typing_extensions import TypeVar

from mapper.cache.cache import Cache
from mapper.cache.committing import Invalidating
from mapper.cache.entries import SERVED
from mapper.cache.envelope import Envelope
from mapper.cache.keeper import Found, Marked
from mapper.cache.keys import Names
from mapper.cache.reading import Missing
from mapper.cache.requests import OUTAGES, Request, Times, missed
from mapper.cache.row_requests import UNCHANGEABLE
from mapper.cache.values import ValueCodec, returned_by, value_codec
from mapper.cache.writes import Changes
from mapper.caching import CacheMode, CachePolicy, checked_choice
from mapper.encoding import Unencodable, encoded
from mapper.errors import CacheConfigError

__all__ = ["ReadThrough"]

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")
_Failure: TypeAlias = type[Exception]

NOTHING: Final = b"\xc0"
FIRST_PAUSE: Final = 0.02  # seconds
LONGEST_PAUSE: Final = 1.0  # seconds
AT_ONCE: Final = 20
"""Values that are read at once where there is no function for many."""


class ReadThrough(Generic[K, V]):
    """
    A source that is read through a cache: `users = ReadThrough(cache, prefix="user", fetch=load_user)`.

    Args:
        cache: Whose driver and rules.
        prefix: The name of this source in the cache's namespace.
        fetch: Reads the value of a key; None where there is none. It must see every write that was told of.
        fetch_many: Reads those of several, as a mapping or in the order of the keys; without, `fetch` is called for each.
        key: Gives the key of a value, so that `invalidate` takes values too.
        type: What values are, where the annotation of `fetch` does not say. Values of classes that msgspec knows are
            kept: attrs, dataclasses, structs, named tuples, and what they are made of; and models of pydantic. Where
            nothing says it, plain values are: numbers, text, moments, and lists and dictionaries of them.
        encode, decode: Make bytes of a value, and an equal value of bytes, for any other class.
        policy: How values are kept; the cache's own without it.
        retries: How often reading is tried again after an outage, with pauses that grow.
        outages: What the source raises when it is away: what is tried again, and what `stale_if_error` of the policy
            is for. A class of errors, or several.

    Raises:
        CacheConfigError: Values of the type cannot be kept, or an argument is wrong.
    """

    def __init__(
        self,
        cache: Cache,
        *,
        prefix: str,
        fetch: Callable[[K], Awaitable[V | None]],
        fetch_many: Callable[[Sequence[K]], Awaitable[Any]] | None = None,
        key: Callable[[V], K] | None = None,
        type: Any = None,
        encode: Callable[[V], bytes] | None = None,
        decode: Callable[[bytes], V] | None = None,
        policy: CachePolicy | None = None,
        retries: int = 0,
        outages: type[Exception] | tuple[type[Exception], ...] = OUTAGES,
    ) -> None:
        if not isinstance(prefix, str) or not prefix:
            raise CacheConfigError(f"prefix is {prefix!r}, expected a name")
        if not isinstance(retries, int) or isinstance(retries, bool) or retries < 0:
            raise CacheConfigError(f"retries is {retries!r}, expected a number", hint="0 tries once")
        self._retries = retries
        self._outages: tuple[_Failure, ...] = outages if isinstance(outages, tuple) else (outages,)
        self._cache = cache
        self._names = cache._names
        self._fetch = fetch
        self._fetch_many = fetch_many
        self._key = key
        self._codec: ValueCodec[V] = value_codec(returned_by(fetch) if type is None else type, encode, decode)
        self._table = f"~{prefix}"
        chosen = policy or cache._policy or CachePolicy()
        self._times = Times.of(chosen)
        self._prefix = self._names.entry(self._table, "value", prefix, cache._scope, self._codec.name)
        self._relations = (prefix,)
        self._shared = (self._names.epoch, self._names.unknown(self._table))

    async def get(self, key: K, *, mode: CacheMode = "read") -> V | None:
        """
        Return the value of a key; None where there is none.

        Args:
            mode: `read` serves what is kept and keeps what is read; `only` serves what is kept and nothing else;
                `refresh` reads anew and keeps it; `off` does neither.

        Raises:
            CacheMiss: Nothing is kept, and `mode="only"`.
            Exception: What `fetch` raised.
        """
        checked_choice("mode", mode, CacheMode)
        return await self._cache._reader.read(self._request(key, mode))

    async def get_many(self, keys: Iterable[K], *, mode: CacheMode = "read") -> list[V | None]:
        """
        Return the values of keys, in their order; a key may come twice. What is kept is looked up in one round trip.

        Raises:
            CacheMiss: Of one of them nothing is kept, and `mode="only"`.
            Exception: What `fetch` or `fetch_many` raised.
        """
        checked_choice("mode", mode, CacheMode)
        wanted = list(keys)
        names = [self._name(each) for each in wanted]
        requests = {name: self._request(each, mode) for name, each in zip(names, wanted, strict=True)}
        if self._fetch_many is None:
            found = await self._each(requests)
        elif mode == "off":
            self._cache._events.tell("bypass", "off", relations=self._relations)
            found = await self._fetched(requests)
        else:
            found = await self._together(requests, mode)
        return [found[each] for each in names]

    async def invalidate(self, *keys: "K | V") -> None:
        """Have the values of keys read anew; where `key` was given, of values too. Without any, all of this source."""
        await self._cache._keeper.end(self._marked(keys))

    def changing(self, *keys: "K | V") -> Invalidating:
        """
        Return a block in which values are written: `async with users.changing(7): await save(user)`. They are marked
        before, and read anew after it, even if the process dies within.
        """
        return Invalidating(self._cache._commits, _Own(self._marked(keys).tags))

    # -- inside --------------------------------------------------------------------------------------------------------

    def _marked(self, keys: Sequence[Any]) -> Marked:
        if not keys:
            return Marked([self._names.unknown(self._table)])
        return Marked([self._tag(self._key_of(each)) for each in keys])

    def _key_of(self, given: Any) -> Any:
        return self._key(given) if self._key is not None and isinstance(given, self._codec.classes) else given

    def _tag(self, key: Any) -> str:
        return self._names.row(self._table, (self._name(key),))

    def _name(self, key: Any) -> bytes:
        try:
            return encoded(key)
        except Unencodable as error:
            raise CacheConfigError(
                f"{key!r} has no name in a cache: {error}", hint="use plain values as keys"
            ) from error

    def _request(self, key: K, mode: CacheMode) -> "_ValueRequest[K, V]":
        tags = (*self._shared, self._tag(key))
        name, digest = self._prefix.key(key)
        request: _ValueRequest[K, V] = _ValueRequest(name, digest, tags, self._times, mode, self._relations)
        request.source, request.of = self, key
        return request

    async def _each(self, requests: "dict[bytes, _ValueRequest[K, V]]") -> dict[bytes, V | None]:
        """Read each by itself; the first error ends the others, and is raised as it is."""
        found: dict[bytes, V | None] = {}
        errors: list[Exception] = []
        waiting = list(requests.items())

        async def work() -> None:
            while waiting:
                name, request = waiting.pop()
                try:
                    found[name] = await self._cache._reader.read(request)
                except Exception as error:
                    errors.append(error)
                    group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            for _ in range(min(AT_ONCE, len(waiting))):
                group.start_soon(work)
        if errors:
            raise errors[0]
        return found

    async def _together(self, requests: "dict[bytes, _ValueRequest[K, V]]", mode: CacheMode) -> dict[bytes, V | None]:
        """Serve what is kept, and read the others at once."""
        reader = self._cache._reader
        keys = [] if mode == "refresh" else [each.key for each in requests.values()]
        tags = [*self._shared, *[each.tags[-1] for each in requests.values()]]
        looked = await self._cache._keeper.look_up(keys, tags, self._times.lookup)
        stamps = _stamps_of(requests, looked, len(self._shared) + 1)
        found: dict[bytes, V | None] = {}
        missing: dict[bytes, Missing[V | None]] = {}
        for place, (name, request) in enumerate(requests.items()):
            stale: Envelope | None = None
            reason = "unreachable" if looked is None else looked.reason
            if looked is not None and name in stamps:
                reason = "refresh"
                if keys:
                    reason, stale, value = reader.entries.found(request, looked.values[place], stamps[name])
                    if stale is not None and reason in SERVED:
                        reader.served(request, stale, stamps[name], soft=reason == "soft")
                        found[name] = value
                        continue
            if mode == "only":
                raise missed(request, reason)
            missing[name] = Missing(request, stamps.get(name, ()), stale)
            self._cache._events.tell("miss", reason, relations=self._relations)

        async def load(names: Sequence[bytes]) -> Sequence[V | None]:
            return list((await self._fetched({each: requests[each] for each in names})).values())

        if missing and stamps:
            found.update(await reader.together(missing, load))
        elif missing:
            found.update(zip(missing, await load(list(missing)), strict=True))
        return found

    async def _fetched(self, requests: "dict[bytes, _ValueRequest[K, V]]") -> dict[bytes, V | None]:
        """Read the values of several keys from the source."""
        assert self._fetch_many is not None
        fetch_many, keys = self._fetch_many, [each.of for each in requests.values()]
        answer = await self._tried(lambda: fetch_many(keys))
        values = [answer.get(each) for each in keys] if isinstance(answer, Mapping) else list(answer)
        if len(values) != len(keys):
            raise CacheConfigError(
                f"fetch_many gave {len(values)} values for {len(keys)} keys",
                hint="give a mapping by key, or one value for each key in their order, None where there is none",
            )
        return dict(zip(requests, values, strict=True))

    async def _tried(self, read: Callable[[], Awaitable[T]]) -> T:
        """Read from the source, and again after outages."""
        pause = FIRST_PAUSE
        for _ in range(self._retries):
            try:
                return await read()
            except self._outages:
                await anyio.sleep(pause * random.uniform(0.5, 1.5))
                pause = min(2 * pause, LONGEST_PAUSE)
        return await read()


class _ValueRequest(Request[Any], Generic[K, V]):
    """The value of one key of a source."""

    __slots__ = ("of", "source")

    of: K
    source: ReadThrough[K, V]

    @property
    def outages(self) -> tuple[type[Exception], ...]:
        return self.source._outages

    async def load(self) -> V | None:
        return await self.source._tried(lambda: self.source._fetch(self.of))

    def pack(self, value: V | None) -> tuple[bytes, bytes, int]:
        return (NOTHING, b"", 0) if value is None else (self.source._codec.packed(value), b"", 1)

    def copies(self, value: V | None) -> "Callable[[], V | None] | None":
        return (lambda: value) if type(value) in UNCHANGEABLE else None

    def unpack(self, envelope: Envelope) -> V | None:
        return self.source._codec.unpacked(envelope.payload) if envelope.rows else None


def _stamps_of(names: Iterable[bytes], looked: Found | None, shared: int) -> dict[bytes, tuple[bytes, ...]]:
    """Return the stamps that each value depends on; none where none may be served. The first ones are of all."""
    if looked is None or looked.stamps is None:
        return {}
    first = looked.stamps[:shared]
    return {name: (*first, own) for name, own in zip(names, looked.stamps[shared:], strict=True)}


class _Own(Changes):
    """Tags that are given, in the place of changes of relations."""

    __slots__ = ("_given",)

    def __init__(self, tags: Sequence[str]) -> None:
        super().__init__()
        self._given = list(tags)

    def tags(self, names: Names) -> list[str]:
        del names
        return self._given
