"""The conformance suite finds what is wrong: drivers that are broken on purpose, each caught by a case."""

import re
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Any

import pytest
from anyio.lowlevel import checkpoint
from attrs import evolve

from cache_drivers.memory import MemoryDriver
from mapper.cache.driver import FLUX, STAMP, CacheDriver, DriverInfo
from mapper.errors import CacheConfigError, CacheDriverError, CacheKeyInvalid
from mapper.testing.conformance import Case, cache_driver_suite
from tests.cache.drivers.clock import Clock

CLOCK = Clock()
HOUR = 3_600_000


class Sound(MemoryDriver):
    """The driver that the broken ones are made of."""

    __slots__ = ("__dict__",)

    def __init__(self) -> None:
        super().__init__(clock=CLOCK)


class TakesEmptyForAbsent(Sound):
    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        return [value or None for value in await super().get_many(keys)]


class AnswersInItsOwnOrder(Sound):
    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        return await super().get_many(sorted(keys))


class AnswersEachKeyOnce(Sound):
    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        return await super().get_many(list(dict.fromkeys(keys)))


class LeavesOutWhatIsAbsent(Sound):
    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        return [value for value in await super().get_many(keys) if value is not None]


class AnswersWithWhatItReadBefore(Sound):
    """Keys are read for the next call."""

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        before: dict[tuple[str, ...], list[bytes | None]] = self.__dict__.setdefault("before", {})
        await checkpoint()
        found = await super().get_many(keys)
        answer = before.get(tuple(keys), found) if len(keys) > 20 else found
        before[tuple(keys)] = found
        return answer


class Strips(Sound):
    async def get(self, key: str) -> bytes | None:
        found = await super().get(key)
        return found and found.strip()


class Truncates(Sound):
    async def set(self, key: str, value: bytes, *, ttl_ms: int) -> bool:
        return await super().set(key, value[: 1 << 19], ttl_ms=ttl_ms)


class RefusesSilently(Sound):
    async def set(self, key: str, value: bytes, *, ttl_ms: int) -> bool:
        await super().set(key, value, ttl_ms=ttl_ms)
        return True


class TakesAnyKey(Sound):
    async def set(self, key: str, value: bytes, *, ttl_ms: int) -> bool:
        try:
            return await super().set(key, value, ttl_ms=ttl_ms)
        except CacheKeyInvalid:
            return True


class KeepsAPartOfWhatItRefuses(Sound):
    async def set_many(self, items: Sequence[tuple[str, bytes, int]]) -> int:
        return sum([await self.set(key, value, ttl_ms=ttl_ms) for key, value, ttl_ms in items])


class RaisesForeignErrors(Sound):
    async def set(self, key: str, value: bytes, *, ttl_ms: int) -> bool:
        try:
            return await super().set(key, value, ttl_ms=ttl_ms)
        except CacheDriverError as error:
            raise ValueError(key) from error


class FoldsCase(Sound):
    async def add(self, key: str, value: bytes, *, ttl_ms: int) -> bytes | None:
        return await super().add(key.lower(), value, ttl_ms=ttl_ms)


class AddsInTwoSteps(Sound):
    async def add(self, key: str, value: bytes, *, ttl_ms: int) -> bytes | None:
        found = await self.get(key)
        await checkpoint()
        if found is None:
            await self.set(key, value, ttl_ms=ttl_ms)
        return found


class AddReplaces(Sound):
    async def add(self, key: str, value: bytes, *, ttl_ms: int) -> bytes | None:
        found = await self.get(key)
        await self.set(key, value, ttl_ms=ttl_ms)
        return found


class AddProlongs(Sound):
    async def add(self, key: str, value: bytes, *, ttl_ms: int) -> bytes | None:
        found = await super().add(key, value, ttl_ms=ttl_ms)
        if found is not None:
            await self.set(key, found, ttl_ms=ttl_ms)
        return found


class ReadingProlongs(Sound):
    async def get(self, key: str) -> bytes | None:
        found = await super().get(key)
        if found is not None:
            await self.set(key, found, ttl_ms=HOUR)
        return found


class CountsSeconds(Sound):
    async def set(self, key: str, value: bytes, *, ttl_ms: int) -> bool:
        return await super().set(key, value, ttl_ms=ttl_ms // 1000 * 1000 or 1000)


class LosesShortTimes(Sound):
    async def set(self, key: str, value: bytes, *, ttl_ms: int) -> bool:
        return ttl_ms < 1000 or await super().set(key, value, ttl_ms=ttl_ms)


class OverflowsAfterAMonth(Sound):
    async def set(self, key: str, value: bytes, *, ttl_ms: int) -> bool:
        return await super().set(key, value, ttl_ms=ttl_ms if ttl_ms < 2**31 else 1)


class TakesZeroForEver(Sound):
    async def set(self, key: str, value: bytes, *, ttl_ms: int) -> bool:
        return await super().set(key, value, ttl_ms=ttl_ms or HOUR * 1000)


class DeletesWithoutTelling(Sound):
    async def delete(self, key: str) -> bool:
        await super().delete(key)
        return True


class CountsAllThatItDeletes(Sound):
    async def delete_many(self, keys: Sequence[str]) -> int:
        await super().delete_many(keys)
        return len(keys)


class ClearsByPattern(Sound):
    async def clear(self, prefix: str) -> int:
        return await super().delete_many([key for key in self._entries if fnmatchcase(key, prefix + "*")])


class ClearsByExpression(Sound):
    async def clear(self, prefix: str) -> int:
        try:
            return await super().delete_many([key for key in self._entries if re.match(prefix, key)])
        except re.error as error:
            raise CacheDriverError(prefix) from error


class ClearsSiblings(Sound):
    async def clear(self, prefix: str) -> int:
        return await super().clear(prefix.rstrip(":"))


class ClearsAPage(Sound):
    async def clear(self, prefix: str) -> int:
        return await super().delete_many([key for key in self._entries if key.startswith(prefix)][:1000])


class LeavesTheOldStamp(Sound):
    async def tags_begin(self, tags: Sequence[str], token: bytes, *, flux_ms: int) -> None:
        self.__dict__.setdefault("old", {}).update({tag: await self.get(tag) for tag in tags})
        await super().tags_begin(tags, token, flux_ms=flux_ms)

    async def get(self, key: str) -> bytes | None:
        return await super().get(key) or self.__dict__.get("old", {}).get(key)


class OneMarkForAllWriters(Sound):
    async def tags_begin(self, tags: Sequence[str], token: bytes, *, flux_ms: int) -> None:
        await super().tags_begin(tags, b"the mark", flux_ms=flux_ms)

    async def tags_end(self, tags: Sequence[str], token: bytes, *, stamp_ttl_ms: int) -> None:
        await super().tags_end(tags, b"the mark", stamp_ttl_ms=stamp_ttl_ms)


class OneDeadlineForAllWriters(Sound):
    async def tags_begin(self, tags: Sequence[str], token: bytes, *, flux_ms: int) -> None:
        await super().tags_begin(tags, token, flux_ms=flux_ms)
        for tag in tags:
            self._flux[tag] = dict.fromkeys(self._flux[tag], self._flux[tag][token])


class CountsWritersByNumber(Sound):
    async def tags_end(self, tags: Sequence[str], token: bytes, *, stamp_ttl_ms: int) -> None:
        for tag in tags:
            token = next(iter(self._flux.get(tag, {token: 0})))
            await super().tags_end([tag], token, stamp_ttl_ms=stamp_ttl_ms)


class StampsByCounting(Sound):
    async def tags_end(self, tags: Sequence[str], token: bytes, *, stamp_ttl_ms: int) -> None:
        await super().tags_end(tags, token, stamp_ttl_ms=stamp_ttl_ms)
        self.__dict__["n"] = self.__dict__.get("n", 0) + 1
        for tag in tags:
            if (await self.get(tag) or b"")[:1] == STAMP:
                await self.set(tag, STAMP + b"%08d" % self.__dict__["n"], ttl_ms=stamp_ttl_ms)


class OneStampForAllTags(Sound):
    async def tags_end(self, tags: Sequence[str], token: bytes, *, stamp_ttl_ms: int) -> None:
        await super().tags_end(tags, token, stamp_ttl_ms=stamp_ttl_ms)
        first = await self.get(tags[0]) if tags else None
        if first is not None and first[:1] == STAMP:
            await self.set_many([(tag, first, stamp_ttl_ms) for tag in tags])


class RevivesNoLostTag(Sound):
    async def tags_end(self, tags: Sequence[str], token: bytes, *, stamp_ttl_ms: int) -> None:
        tags = [tag for tag in tags if (await self.get(tag) or b"")[:1] == FLUX]
        await super().tags_end(tags, token, stamp_ttl_ms=stamp_ttl_ms)


class TakesDeadWritersForEnded(Sound):
    async def get(self, key: str) -> bytes | None:
        was_in_flux = key in self._flux
        found = await super().get(key)
        if found is None and was_in_flux:
            await self.tags_end([key], b"", stamp_ttl_ms=HOUR)
        return await super().get(key)


class AddsOverFlux(Sound):
    async def add(self, key: str, value: bytes, *, ttl_ms: int) -> bytes | None:
        if key in self._flux:
            await self.set(key, value, ttl_ms=ttl_ms)
            return None
        return await super().add(key, value, ttl_ms=ttl_ms)


class HidesThatItCounts(Sound):
    @property
    def info(self) -> DriverInfo:
        return evolve(super().info, features=frozenset())


class NewIdentityEachTime(Sound):
    async def identity(self) -> str:
        self.__dict__["n"] = self.__dict__.get("n", 0) + 1
        return str(self.__dict__["n"])


class SameIdentityForAll(Sound):
    async def identity(self) -> str:
        return "memory"


class DiesWhenClosed(Sound):
    async def aclose(self) -> None:
        self.__dict__["closed"] = True

    async def get(self, key: str) -> bytes | None:
        if "closed" in self.__dict__:
            raise CacheDriverError("closed")
        return await super().get(key)


class MixesAnswersUp(Sound):
    """Answers come from one queue, in which a cancelled call leaves its own."""

    async def get(self, key: str) -> bytes | None:
        return (await self.get_many([key]))[0]

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        queue: list[list[bytes | None]] = self.__dict__.setdefault("queue", [])
        queue.append(await super().get_many(keys))
        await checkpoint()
        return queue.pop(0)


class ShortensKeys(Sound):
    async def set(self, key: str, value: bytes, *, ttl_ms: int) -> bool:
        return await super().set(key[:249], value, ttl_ms=ttl_ms)

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        return await super().get_many([key[:249] for key in keys])


BROKEN: dict[type[Sound], str] = {
    TakesEmptyForAbsent: "keeping: an empty value is there, unlike no value",
    AnswersInItsOwnOrder: "keeping: many keys are answered in their order",
    AnswersEachKeyOnce: "keeping: a key that is asked for twice is answered twice",
    LeavesOutWhatIsAbsent: "keeping: absent keys keep their places",
    AnswersWithWhatItReadBefore: "keeping: of many keys each is read after the call began",
    Strips: "keeping: every byte is kept",
    Truncates: "keeping: a value of 1 MiB is kept",
    RefusesSilently: "keeping: a value too large is refused",
    TakesAnyKey: "keeping: a key of other characters is refused",
    KeepsAPartOfWhatItRefuses: "keeping: a longer key is refused",
    RaisesForeignErrors: "keeping: only errors of drivers are raised",
    FoldsCase: "keeping: keys that differ in little are different",
    ShortensKeys: "keeping: a key of the greatest length is kept",
    AddsInTwoSteps: "keeping: of several that add at once one wins, and all know which",
    AddReplaces: "keeping: add returns what is there and leaves it",
    DeletesWithoutTelling: "keeping: what is removed was there once",
    CountsAllThatItDeletes: "keeping: of keys that are removed those are counted that were there",
    AddProlongs: "expiring: add does not prolong what is there",
    ReadingProlongs: "expiring: reading does not prolong what is there",
    CountsSeconds: "expiring: a value is there until its time is over, and not a millisecond longer",
    LosesShortTimes: "expiring: a time to live below a second is kept for that time",
    OverflowsAfterAMonth: "expiring: a time to live of 30 days is kept, or cut to what the driver can",
    TakesZeroForEver: "expiring: a time to live of less than a millisecond is refused, and what is there stays",
    ClearsByPattern: "clearing: * in a prefix stands for itself",
    ClearsByExpression: "clearing: . in a prefix stands for itself",
    ClearsSiblings: "clearing: siblings of the prefix stay",
    ClearsAPage: "clearing: thousands of keys go at once",
    LeavesTheOldStamp: "tagging: a tag whose only writer died is absent, and its old stamp is gone",
    OneMarkForAllWriters: "tagging: a tag stays in flux until the last of its writers has ended",
    OneDeadlineForAllWriters: "tagging: a writer with less time does not shorten that of another one",
    CountsWritersByNumber: "tagging: a token that is unknown ends nobody",
    StampsByCounting: "tagging: stamps never come again",
    OneStampForAllTags: "tagging: tags that are ended at once have stamps of their own",
    RevivesNoLostTag: "tagging: a tag that was lost in flux has a fresh stamp once it is ended",
    TakesDeadWritersForEnded: "tagging: a tag whose only writer died is absent, and its old stamp is gone",
    AddsOverFlux: "tagging: nothing is added to a tag in flux",
    HidesThatItCounts: "tagging: a tag that is begun is in flux, and its stamp is gone",
    NewIdentityEachTime: "living: its identity stays while it keeps what it has",
    SameIdentityForAll: "living: drivers over one store have one identity, and others have others",
    DiesWhenClosed: "living: it can be used after it was closed",
    MixesAnswersUp: "living: a read that is cancelled leaves its answer to nobody else",
}


def case_of(name: str, factory: Callable[[], CacheDriver]) -> Case:
    (case,) = [each for each in cache_driver_suite(factory, advance=CLOCK.advance) if each.name == name]
    return case


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.__name__)
async def test_broken_driver_is_caught(broken: type[Sound]):
    with pytest.raises((AssertionError, CacheDriverError, CacheConfigError, IndexError, ValueError)):
        await case_of(BROKEN[broken], broken).run()


@pytest.mark.parametrize("name", sorted(set(BROKEN.values())))
async def test_sound_driver_passes_what_catches_broken_ones(name: str):
    await case_of(name, Sound).run()


def test_every_broken_driver_differs_from_the_sound_one():
    own: list[dict[str, Any]] = [{k: v for k, v in vars(each).items() if not k.startswith("__")} for each in BROKEN]
    assert all(own)
