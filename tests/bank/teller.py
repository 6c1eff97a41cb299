"""
A process that makes transfers in a SQLite file, and prints the name of each that is done, until it is killed.

`python -m tests.bank.teller PATH SEED`
"""

import asyncio
import random
import sys

from gateways.sqlite import SQLiteGateway
from tests.bank.accounts import Bank, changeset, orders, step_by_step


async def transfers(path: str, seed: int) -> None:
    """Make transfers for ever, each in another way than the one before."""
    chance = random.Random(seed)
    async with SQLiteGateway(path, busy_timeout=20) as gateway:
        bank = Bank(gateway)
        for batch in range(sys.maxsize):
            one, two, three = orders(3, chance, f"process {seed} batch {batch}")
            await changeset(one).commit(bank, retries=50)
            print(one.name, flush=True)
            await step_by_step(bank, two, None, lambda: asyncio.sleep(0))
            print(two.name, flush=True)
            await changeset(three).commit(bank, once=three.name, retries=50)
            print(three.name, flush=True)


if __name__ == "__main__":
    asyncio.run(transfers(sys.argv[1], int(sys.argv[2])))
