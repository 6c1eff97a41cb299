"""The cases of faults pass with a driver that takes them well, and catch those that do not."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from anyio import fail_after, move_on_after, sleep
from attrs import define, evolve

from cache_drivers.memory import MemoryDriver
from mapper.cache.driver import CacheDriver, DriverInfo
from mapper.errors import CacheDriverError, CacheProtocolError, CacheTimeout, CacheUnavailable
from mapper.testing.conformance import Case, cache_driver_suite

HOUR = 3_600_000
TIMEOUT = 0.02


@define
class Control:
    """A server that is an object: its keys, and what is wrong with it."""

    keys: MemoryDriver
    up: bool = True
    full: bool = False
    seconds: float = 0
    cut_after: int | None = None
    starts: int = 0

    @property
    def command_timeout(self) -> float:
        return TIMEOUT

    async def stop(self) -> None:
        self.up = False

    async def start(self) -> None:
        self.up = True
        self.starts += 1
        await self.keys.clear("")

    async def flush(self) -> None:
        await self.keys.clear("")

    async def delay(self, seconds: float) -> None:
        self.seconds = seconds

    async def cut(self, after: int) -> None:
        self.cut_after = after

    async def corrupt(self, key: str) -> None:
        await self.keys.set(key, b"\x00 no bytes of ours", ttl_ms=HOUR)

    async def fill(self) -> None:
        self.full = True

    async def restore(self) -> None:
        self.up, self.full, self.seconds, self.cut_after = True, False, 0, None


class Client:
    """A driver for that server, with every method of one."""

    WRITES = frozenset({"set", "set_many", "add", "tags_begin", "tags_end"})

    def __init__(self, server: Control) -> None:
        self.server = server

    @property
    def info(self) -> DriverInfo:
        return evolve(self.server.keys.info, name="client", scope="shared")

    async def ask(self, name: str, *arguments: Any, **named: Any) -> Any:
        """Send a command, and return the answer."""
        if not self.server.up:
            raise CacheUnavailable("away")
        if self.server.full and name in self.WRITES:
            raise CacheDriverError("full")
        answer = await getattr(self.server.keys, name)(*arguments, **named)
        await self.wait()
        if self.server.cut_after is not None:
            self.server.cut_after = None
            return self.cut(answer)
        if any(value == b"\x00 no bytes of ours" for value in (answer if isinstance(answer, list) else [answer])):
            raise CacheProtocolError("no bytes")
        return answer

    async def wait(self) -> None:
        try:
            with fail_after(TIMEOUT):
                await sleep(self.server.seconds)
        except TimeoutError as error:
            raise CacheTimeout("too slow") from error

    def cut(self, answer: Any) -> Any:
        raise CacheUnavailable("cut")

    async def get(self, key: str) -> bytes | None:
        return await self.ask("get", key)

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        return await self.ask("get_many", keys) if keys else []

    async def set(self, key: str, value: bytes, *, ttl_ms: int) -> bool:
        return await self.ask("set", key, value, ttl_ms=ttl_ms)

    async def set_many(self, items: Sequence[tuple[str, bytes, int]]) -> int:
        return await self.ask("set_many", items) if items else 0

    async def add(self, key: str, value: bytes, *, ttl_ms: int) -> bytes | None:
        return await self.ask("add", key, value, ttl_ms=ttl_ms)

    async def delete(self, key: str) -> bool:
        return await self.ask("delete", key)

    async def delete_many(self, keys: Sequence[str]) -> int:
        return await self.ask("delete_many", keys) if keys else 0

    async def clear(self, prefix: str) -> int:
        return await self.ask("clear", prefix)

    async def tags_begin(self, tags: Sequence[str], token: bytes, *, flux_ms: int) -> None:
        if tags:
            await self.ask("tags_begin", tags, token, flux_ms=flux_ms)

    async def tags_end(self, tags: Sequence[str], token: bytes, *, stamp_ttl_ms: int) -> None:
        if tags:
            await self.ask("tags_end", tags, token, stamp_ttl_ms=stamp_ttl_ms)

    async def identity(self) -> str:
        await self.ask("ping")
        return f"{await self.server.keys.identity()} {self.server.starts}"

    async def ping(self) -> None:
        await self.ask("ping")

    async def aclose(self) -> None:
        pass


class TakesAbsenceForStopped(Client):
    async def get(self, key: str) -> bytes | None:
        try:
            return await super().get(key)
        except CacheUnavailable:
            return None


class AsksForNoKeys(Client):
    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        return await self.ask("get_many", keys)


class GivesUpForGood(Client):
    async def ask(self, name: str, *arguments: Any, **named: Any) -> Any:
        if self.__dict__.get("lost"):
            raise CacheUnavailable("lost")
        try:
            return await super().ask(name, *arguments, **named)
        except CacheUnavailable:
            self.__dict__["lost"] = True
            raise


class WaitsForEver(Client):
    async def wait(self) -> None:
        await sleep(self.server.seconds)


class TimesOutUnderAnotherName(Client):
    async def wait(self) -> None:
        with fail_after(TIMEOUT):
            await sleep(self.server.seconds)


class GivesTheLateAnswerToTheNext(Client):
    async def ask(self, name: str, *arguments: Any, **named: Any) -> Any:
        if name == "get" and "late" in self.__dict__:
            return self.__dict__.pop("late")
        if name == "get" and self.server.seconds > 0:
            self.__dict__["late"] = await self.server.keys.get(*arguments)
        return await super().ask(name, *arguments, **named)


class GivesAPart(Client):
    def cut(self, answer: Any) -> Any:
        return answer[:700] if isinstance(answer, bytes) else [answer[0][:700], *answer[1:]]


class ReportsWhatItCouldNotMark(Client):
    async def tags_begin(self, tags: Sequence[str], token: bytes, *, flux_ms: int) -> None:
        try:
            await super().tags_begin(tags, token, flux_ms=flux_ms)
        except CacheDriverError:
            pass


class ReportsWhatItCouldNotKeep(Client):
    async def set(self, key: str, value: bytes, *, ttl_ms: int) -> bool:
        try:
            return await super().set(key, value, ttl_ms=ttl_ms)
        except CacheDriverError:
            return True


class PassesOnAnything(Client):
    async def get(self, key: str) -> bytes | None:
        return await self.server.keys.get(key)


class OneIdentityForEver(Client):
    async def identity(self) -> str:
        return "the server"


class RemembersWhatWasFlushed(Client):
    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        return [value or self.__dict__.get(key) for key, value in zip(keys, await super().get_many(keys), strict=True)]

    async def set(self, key: str, value: bytes, *, ttl_ms: int) -> bool:
        self.__dict__[key] = value
        return await super().set(key, value, ttl_ms=ttl_ms)


BROKEN: dict[type[Client], str] = {
    TakesAbsenceForStopped: "faults: a server that is stopped makes every method unavailable",
    AsksForNoKeys: "faults: of no keys nothing is asked, though the server is stopped",
    GivesUpForGood: "faults: a server that was restarted is found again",
    WaitsForEver: "faults: a server that is too slow times out",
    TimesOutUnderAnotherName: "faults: a server that is too slow times out",
    GivesTheLateAnswerToTheNext: "faults: an answer that came too late is taken for no other",
    GivesAPart: "faults: an answer that is cut in its value is an error or made good, never a part",
    ReportsWhatItCouldNotMark: "faults: a server that has no room takes no writer's mark for set",
    ReportsWhatItCouldNotKeep: "faults: a server that has no room refuses values, and still answers",
    PassesOnAnything: "faults: what no driver has put at a key is absent or an error, and harms no other",
    OneIdentityForEver: "faults: the identity is another after a restart that lost the keys",
    RemembersWhatWasFlushed: "faults: keys that were flushed are absent",
}


def cases(client: Callable[[Control], CacheDriver]) -> list[Case]:
    server = Control(MemoryDriver())
    made = cache_driver_suite(lambda: client(server), server=lambda: server)
    return [case for case in made if case.name.startswith("faults: ")]


@pytest.mark.parametrize("case", cases(Client), ids=str)
async def test_driver_that_takes_faults_well_passes(case: Case):
    await case.run()


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.__name__)
async def test_driver_that_takes_faults_badly_is_caught(broken: type[Client]):
    (case,) = [each for each in cases(broken) if each.name == BROKEN[broken]]
    with move_on_after(3):
        with pytest.raises((AssertionError, TimeoutError, CacheDriverError)):
            await case.run()
        return
    assert broken is GivesUpForGood, "only a driver that never comes back is waited for"
