"""Random histories of transactions, compared with a model that copies everything."""

import asyncio
import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateways.memory import MemoryGateway
from mapper.errors import UniqueViolation
from mapper.operations import Transaction
from mapper.selecting import select
from tests.memory.shop import Users, compiled, create, delete, insertion, update

Model = dict[int, str]

ALL = compiled(select(Users.id, Users.name).order_by(Users.id))


class History:
    """One gateway, a model of what is committed, and readers that each keep what they saw first."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.gateway = MemoryGateway()
        self.committed: Model = {}
        self.readers: list[tuple[Any, list[tuple[int, str]]]] = []
        self.numbers = iter(range(1, 10**6))

    async def change(self, executor: Any, model: Model) -> None:
        """Do something at random, to the store and to the model."""
        kind = self.random.choice(["insert", "insert", "update", "rename", "delete", "fail"])
        known = list(model) or [0]
        key = self.random.choice(known)
        match kind:
            case "insert":
                names = [f"n{next(self.numbers)}" for _ in range(self.random.randint(1, 3))]
                statement = insertion(Users, *[{"name": name} for name in names], returning=("id",))
                result = await executor.execute(compiled(statement))
                model.update({row[0]: name for row, name in zip(result.rows, names, strict=True)})
            case "update":
                await executor.execute(
                    compiled(update(Users, Users.name.to(Users.name + "x"), where=[Users.id >= key]))
                )
                model.update({each: name + "x" for each, name in model.items() if each >= key})
            case "rename" if key in model:
                moved = next(self.numbers) * 10**6
                await executor.execute(compiled(update(Users, Users.id.to(moved), where=[Users.id == key])))
                model[moved] = model.pop(key)
            case "delete":
                await executor.execute(compiled(delete(Users, Users.id == key)))
                model.pop(key, None)
            case "fail" if key in model:
                try:
                    await executor.execute(compiled(insertion(Users, {"name": "fresh"}, {"name": model[key]})))
                except UniqueViolation:
                    return
                raise AssertionError("a name twice")
            case _:
                pass

    async def read(self) -> None:
        """Check what is seen outside, and begin or end a stream or a read-only transaction."""
        assert await self.seen(self.gateway) == sorted(self.committed.items())
        match self.random.choice(["stream", "snapshot", "end", "none"]):
            case "stream":
                batches = await self.gateway.stream(ALL, lambda found, names: list(found))
                self.readers.append((batches, sorted(self.committed.items())))
            case "snapshot":
                connection = await self.gateway.connection().__aenter__()
                await connection.execute(Transaction("start", read_only=True))
                self.readers.append((connection, sorted(self.committed.items())))
            case "end" if self.readers:
                await self.end(*self.readers.pop(self.random.randrange(len(self.readers))))
            case _:
                pass

    async def seen(self, executor: Any) -> list[tuple[int, str]]:
        found: list[tuple[int, str]] = await executor.fetch(ALL, lambda found, names: list(found))
        return found

    async def end(self, reader: Any, expected: list[tuple[int, str]]) -> None:
        if hasattr(reader, "next"):
            found: list[Any] = []
            while (batch := await reader.next()) is not None:
                found.extend(batch)
            assert found == expected
        else:
            assert await self.seen(reader) == expected
            await reader.execute(Transaction("commit"))
            reader.end()

    async def transaction(self) -> None:
        """Run a transaction with savepoints, and commit it or take it back."""
        async with self.gateway.connection() as connection:
            await connection.execute(Transaction("start"))
            models: list[Model] = [dict(self.committed)]
            for _ in range(self.random.randrange(12)):
                match self.random.choice(["change", "change", "read", "savepoint", "release", "rollback_to"]):
                    case "change":
                        await self.change(connection, models[-1])
                    case "read":
                        await self.read()
                    case "savepoint":
                        await connection.execute(Transaction("savepoint", name=f"s{len(models)}"))
                        models.append(dict(models[-1]))
                    case "release" if len(models) > 1:
                        inner = models.pop()
                        await connection.execute(Transaction("release", name=f"s{len(models)}"))
                        models[-1] = inner
                    case "rollback_to" if len(models) > 1:
                        await connection.execute(Transaction("rollback_to", name=f"s{len(models) - 1}"))
                        models[-1] = dict(models[-2])
                    case _:
                        pass
                assert await self.seen(connection) == sorted(models[-1].items())
            if self.random.random() < 0.6:
                await connection.execute(Transaction("commit"))
                self.committed = models[-1]

    async def run(self) -> None:
        await create(self.gateway, Users)
        for _ in range(12):
            if self.random.random() < 0.5:
                await self.change(self.gateway, self.committed)
            else:
                await self.transaction()
            await self.read()
        for reader, expected in self.readers:
            await self.end(reader, expected)
        assert self.gateway._shared.store._watchers == []
        self.check_indexes()

    def check_indexes(self) -> None:
        """Compare every index with one that is made anew of the rows."""
        for table in self.gateway._shared.store.tables.values():
            for unique in table.uniques:
                expected = {key: number for number, row in table.numbered() if (key := unique.key(row)) is not None}
                assert unique.entries == expected


@given(st.integers(0, 2**32 - 1))
def test_history_is_that_of_the_model(seed: int):
    asyncio.run(History(seed).run())
