"""
Work of every kind for a gateway, to be cut short anywhere, and what is always to be true behind it.

`Cut` cancels a piece of work at one of its awaits; `WORK` are the pieces; `is_whole` judges the pool.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from typing import Any, Final, TypeAlias

from gateways.postgres import PostgresGateway
from mapper.errors import PoolTimeout
from mapper.gateway import PoolStatistics
from mapper.operations import RawSql, Transaction
from mapper.selecting import select
from tests.postgres.relations import Book, Note, Notes, written

__all__ = ["SEEDS", "WORK", "Cut", "Strange", "Work", "is_whole", "nested"]

SEEDS: Final = 300
"""Notes that are there from the beginning, and stay."""

Work: TypeAlias = Callable[[PostgresGateway, random.Random], Awaitable[object]]


class Cut:
    """
    Awaits work, and cancels the task at one of its awaits.

    Args:
        at: At which, from 1 on; nothing is cancelled where the work has fewer.
        later: Seconds that the cancellation comes later than the await begins.

    Attributes:
        done: The cancellation was asked for while the work went on.
    """

    def __init__(self, work: Coroutine[Any, Any, object], at: int, later: float = 0.0) -> None:
        self._work = work
        self._left = at
        self._later = later
        self.done = False

    def __await__(self) -> Generator[Any, Any, object]:
        work, task = self._work.__await__(), asyncio.current_task()
        assert task is not None
        send: Callable[[], Any] = lambda: next(work)  # noqa: E731  # it is exchanged below
        while True:
            try:
                waits = send()
            except StopIteration as stop:
                return stop.value
            self._left -= 1
            if not self._left:
                asyncio.get_running_loop().call_later(self._later, self._cancel, task)
            try:
                value = yield waits
            except BaseException as error:
                send = _thrower(work, error)
            else:
                send = _sender(work, value)

    def _cancel(self, task: "asyncio.Task[Any]") -> None:
        if not task.done():
            self.done = task.cancel()


def _thrower(work: Generator[Any, Any, object], error: BaseException) -> Callable[[], Any]:
    return lambda: work.throw(error)


def _sender(work: Generator[Any, Any, object], value: Any) -> Callable[[], Any]:
    return lambda: work.send(value)


class Strange:
    """What the loop's exception handler is told: errors of tasks and callbacks that nobody waits for."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.told.append(f"{context.get('message')}: {context.get('exception')!r}")


def is_whole(counted: PoolStatistics) -> bool:
    """Whether nobody has a connection, or waits for one, and none is missing."""
    return counted.size == counted.idle <= counted.limit and counted.in_use == counted.waiting == 0


def _name(chance: random.Random, kind: str) -> str:
    return f"{kind}{chance.getrandbits(64):x}"


async def _point(gateway: PostgresGateway, chance: random.Random) -> object:
    return await select(Note).from_(Notes).find(chance.randrange(SEEDS)).execute(Book(gateway))


async def _all(gateway: PostgresGateway, chance: random.Random) -> object:
    return await select(Note).from_(Notes).where(Notes.id < 60).all(Book(gateway))


async def _streamed(gateway: PostgresGateway, chance: random.Random) -> object:
    seen = 0
    async with select(Note).from_(Notes).order_by(Notes.id).execute(Book(gateway)) as rows:
        async for _ in rows:
            seen += 1
            if seen == 200:
                break
    return seen


async def _streamed_carelessly(gateway: PostgresGateway, chance: random.Random) -> object:
    """Leave the loop without closing what it goes over."""
    seen = 0
    async for _ in select(Note).from_(Notes).order_by(Notes.id).execute(Book(gateway)):
        seen += 1
        if seen == 120:
            break
    return seen


async def nested(gateway: PostgresGateway, chance: random.Random) -> object:
    """Read within a stream, which may find no connection."""
    book = Book(gateway)
    async with select(Note).from_(Notes).order_by(Notes.id).execute(book) as rows:
        async for _ in rows:
            try:
                return await select(Notes.text).first(book)
            except PoolTimeout:
                return None
    return None


async def _one(gateway: PostgresGateway, chance: random.Random) -> object:
    return await written(_name(chance, "single")).commit(Book(gateway))


async def _two(gateway: PostgresGateway, chance: random.Random) -> object:
    name = _name(chance, "pair:")
    return await written(f"{name}:a", f"{name}:b").commit(Book(gateway))


async def _two_in_sequence(gateway: PostgresGateway, chance: random.Random) -> object:
    name = _name(chance, "pair:")
    changes = written(f"{name}:a")
    changes.updates(Notes).where(Notes.text == f"{name}:a").set(Notes.text.to(f"{name}:a"))
    changes.inserts(Notes).push(Note(f"{name}:b"))
    return await changes.commit(Book(gateway), isolation="serializable", retries=2)


async def _many(gateway: PostgresGateway, chance: random.Random) -> object:
    name = _name(chance, "many")
    return await written(*[f"{name}:{each}" for each in range(250)]).commit(Book(gateway))


async def _loaded(gateway: PostgresGateway, chance: random.Random) -> object:
    name = _name(chance, "load")

    async def source() -> AsyncIterator[Note]:
        for each in range(60):
            if each % 20 == 0:
                await asyncio.sleep(0)
            yield Note(f"{name}:{each}")

    return await Book(gateway).load(Notes, source(), chunk=25)


async def _transaction(gateway: PostgresGateway, chance: random.Random) -> object:
    name = _name(chance, "pair:")
    async with Book(gateway).transaction() as tx:
        await written(f"{name}:a").commit(tx)
        async with tx.transaction() as inner:
            await select(Notes.id).count(inner)
            await written(f"{name}:b").commit(inner)
        return await select(Notes.id).count(tx)


async def _undone(gateway: PostgresGateway, chance: random.Random) -> object:
    try:
        async with Book(gateway).transaction(isolation="repeatable read", timeout=5) as tx:
            await written(_name(chance, "never")).commit(tx)
            raise ValueError("undo this")
    except ValueError:
        return None


async def _gathered(gateway: PostgresGateway, chance: random.Random) -> object:
    name = _name(chance, "pair:")
    async with Book(gateway).transaction() as tx:
        await asyncio.gather(
            written(f"{name}:a").commit(tx), select(Notes.id).count(tx), written(f"{name}:b").commit(tx)
        )
    return None


async def _run(gateway: PostgresGateway, chance: random.Random) -> object:
    name = _name(chance, "pair:")

    async def work(tx: Book) -> int:
        await written(f"{name}:a", f"{name}:b").commit(tx)
        return await select(Notes.id).count(tx)

    return await Book(gateway).run(work, retries=2)


async def _held(gateway: PostgresGateway, chance: random.Random) -> object:
    """Leave a connection in the worst state: settings, locks, a table, an open transaction."""
    async with gateway.connection() as connection:
        assert connection.driver
        for text in ("SET search_path = nowhere", "CREATE TEMP TABLE IF NOT EXISTS left_over (x int)"):
            await connection.execute(RawSql(text))
        await connection.execute(RawSql("SELECT pg_advisory_lock_shared(7)"))
        await connection.execute(Transaction("start"))
        await connection.execute(RawSql("INSERT INTO public.notes (text) VALUES (?)", (_name(chance, "never"),)))
        async for _ in connection.stream(RawSql("SELECT generate_series(1, 300)"), 100):
            pass
        return None


async def _raw(gateway: PostgresGateway, chance: random.Random) -> object:
    return await gateway.execute(RawSql("INSERT INTO notes (text) VALUES (?)", (_name(chance, "raw"),)))


async def _slow(gateway: PostgresGateway, chance: random.Random) -> object:
    return await gateway.execute(RawSql("SELECT pg_sleep(0.05)"))


async def _timed(gateway: PostgresGateway, chance: random.Random) -> object:
    try:
        async with asyncio.timeout(chance.random() * 0.01):
            await _two(gateway, chance)
            return await _streamed(gateway, chance)
    except TimeoutError:
        return None


WORK: Final[tuple[Work, ...]] = (
    _point, _all, _streamed, _streamed_carelessly, nested, _one, _two, _two_in_sequence, _many, _loaded, _transaction,
    _undone, _gathered, _run, _held, _raw, _slow, _timed,
)  # fmt: skip
