"""The job queue of the examples: worker processes are killed in the middle of their jobs, and each job is done once."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from examples import queue
from examples.queue import Job, Jobs, Outcomes, Queue
from gateways.postgres import PostgresGateway
from mapper import select

ROOT = Path(__file__).parent.parent.parent

WORKER = """
import asyncio, random, sys
from examples import queue

async def perform(job):
    await asyncio.sleep(random.uniform(0, 0.03))
    return queue.Outcome(job.number ** 2)

queue.perform = perform
asyncio.run(queue.main(sys.argv[1]))
"""

WORKERS = 3
KILLED = 6
BUSY = """
    SELECT application_name FROM pg_stat_activity
    WHERE state = 'idle in transaction' AND application_name LIKE 'worker %' ORDER BY random() LIMIT 1
"""


@pytest.fixture
async def jobs(postgres_url: str) -> AsyncIterator[Queue]:
    async with PostgresGateway(postgres_url) as gateway:
        made = Queue(gateway)
        await made.push_schema()
        yield made


class Workers:
    """Processes that work, by the name that the server knows them by."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._number = 0

    async def start(self) -> None:
        self._number += 1
        name = f"worker {self._number}"
        url = f"{self._url}?application_name={name.replace(' ', '%20')}"
        self._processes[name] = await asyncio.create_subprocess_exec(sys.executable, "-c", WORKER, url, cwd=ROOT)

    async def kill(self, name: str) -> None:
        process = self._processes.pop(name, None)
        if process is not None:
            process.kill()
            await process.wait()

    async def kill_all(self) -> None:
        for name in list(self._processes):
            await self.kill(name)

    def require_alive(self) -> None:
        dead = {name: each.returncode for name, each in self._processes.items() if each.returncode is not None}
        assert dead == {}


@pytest.fixture
async def workers(postgres_url: str) -> AsyncIterator[Workers]:
    made = Workers(postgres_url)
    yield made
    await made.kill_all()


@pytest.mark.timeout(180)
async def test_jobs_are_done_once_although_workers_are_killed(jobs: Queue, workers: Workers, postgres_url: str):
    watcher = await asyncpg.connect(postgres_url)
    for _ in range(WORKERS):
        await workers.start()
    added = killed = 0
    while killed < KILLED or await select(Jobs).exists(jobs):
        workers.require_alive()
        if killed < KILLED:
            await queue.add(jobs, *[Job(number) for number in range(added, added + 5)])
            added += 5
            if (busy := await watcher.fetchval(BUSY)) is not None:
                await workers.kill(busy)
                await workers.start()
                killed += 1
        await asyncio.sleep(0.05)
    await watcher.close()
    done = await select(Outcomes.job, Outcomes.square).order_by(Outcomes.job).all(jobs)
    assert [job for job, _ in done] == list(range(1, added + 1))
    assert sorted(square for _, square in done) == [number**2 for number in range(added)]


async def done(jobs: Queue, *squares: int) -> None:
    """Wait until the jobs have given these."""
    for _ in range(1000):
        if await select(Outcomes.square).order_by(Outcomes.id).all(jobs) == [*squares]:
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"no outcomes {squares}")


async def test_worker_is_woken_by_what_a_commit_sends(jobs: Queue, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(queue, "LOOK_AGAIN", 30.0)
    worker = asyncio.create_task(queue.work(jobs))
    await queue.add(jobs, Job(3))
    await done(jobs, 9)
    await queue.add(jobs, Job(4))
    await done(jobs, 9, 16)
    worker.cancel()
    await asyncio.wait({worker})


async def test_job_that_fails_is_free_again(jobs: Queue, monkeypatch: pytest.MonkeyPatch):
    async def fails(job: Job) -> queue.Outcome:
        raise ValueError("no")

    await queue.add(jobs, Job(5))
    with monkeypatch.context() as patched, pytest.raises(ValueError, match="no"):
        patched.setattr(queue, "perform", fails)
        await queue.do_next(jobs)
    assert await queue.do_next(jobs)
    assert not await queue.do_next(jobs)
    assert await select(Outcomes.square).all(jobs) == [25]


async def test_job_in_progress_is_looked_past(jobs: Queue, monkeypatch: pytest.MonkeyPatch):
    await queue.add(jobs, Job(1), Job(2))
    async with jobs.transaction() as tx:
        await select(Jobs).where(Jobs.number == 1).for_update().one(tx)
        assert await queue.do_next(jobs)
        assert not await queue.do_next(jobs)
    assert await select(Outcomes.square).all(jobs) == [4]


async def test_main_adds_jobs(postgres_url: str):
    await queue.main(postgres_url, "add", "3")
    async with PostgresGateway(postgres_url) as gateway:
        assert await select(Jobs.number).order_by(Jobs.number).all(Queue(gateway)) == [0, 1, 2]
