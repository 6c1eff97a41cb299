"""
A job queue on PostgreSQL in one page: any number of workers, killed whenever it pleases; no job is lost or done twice.

    python -m examples.queue postgresql://localhost/test              a worker
    python -m examples.queue postgresql://localhost/test add 10       ten jobs for the workers

A job is a row. Who takes one locks it, and others look past it to the next; what the job does and that it is done are
one transaction. So a worker that is killed in the middle has done nothing: the server undoes its transaction, and the job
is free again. Workers sleep while there is nothing to do, and are woken by what a commit sends.
"""

import asyncio
import sys

import attrs

from gateways.postgres import PostgresGateway, listen, notify
from mapper import Column, Relation, Repository, column, select


@attrs.frozen
class Job:
    """What is to be done: here, to square a number."""

    number: int


@attrs.frozen
class Outcome:
    """What a job gave."""

    square: int


class Jobs(Relation[Job]):
    id: Column[int] = column(primary_key=True)
    number: Column[int]


class Outcomes(Relation[Outcome]):
    id: Column[int] = column(primary_key=True)
    job: Column[int]
    square: Column[int]


class Queue(Repository[Jobs | Outcomes]): ...


WAKE = "jobs"
LOOK_AGAIN = 1.0
"""Seconds after which a worker looks for jobs unasked: nobody sends anything when a worker is killed and its job free."""


async def add(queue: Queue, *jobs: Job) -> None:
    """Add jobs. Workers are woken with the commit, when the jobs are there to be taken."""
    changes = Queue.change()
    changes.inserts(Jobs).extend(jobs)
    changes.then(notify(WAKE))
    await changes.commit(queue)


async def perform(job: Job) -> Outcome:
    """Do a job. What is done elsewhere than in the database must be safe to do twice: its worker may be killed behind it."""
    return Outcome(job.number**2)


async def do_next(queue: Queue) -> bool:
    """Do the oldest job that nobody else is doing. False where there is none."""
    async with queue.transaction() as tx:
        job = await select(Jobs).order_by(Jobs.id).limit(1).for_update(skip_locked=True).first(tx)
        if job is None:
            return False
        changes = Queue.change()
        changes.inserts(Outcomes).push(await perform(job.model), Outcomes.job.to(job.key))
        changes.delete(Jobs, job)
        await changes.commit(tx)
        return True


async def work(queue: Queue) -> None:
    """Do jobs for ever."""
    # Listening begins before the first look at the table: a job that is added in between is not slept through.
    async with listen(queue, WAKE) as notes:
        while True:
            while await do_next(queue):
                pass
            # Whatever comes, a note or a sign that one may have been missed: look again. Silence for a second: as well.
            try:
                await asyncio.wait_for(notes.some(), LOOK_AGAIN)
            except TimeoutError:
                pass


async def main(url: str, command: str = "work", count: str = "1") -> None:
    """Make what is missing of the schema, and work, or add jobs."""
    async with PostgresGateway(url, max_connections=1) as gateway:
        queue = Queue(gateway)
        await queue.push_schema()
        if command == "add":
            await add(queue, *[Job(number) for number in range(int(count))])
        else:
            await work(queue)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
