"""Streams grow batch by batch, on the connection that they hold, and give it back whatever happens."""

from collections.abc import AsyncIterator

import pytest

from gateways.memory import MemoryGateway
from gateways.postgres import PostgresGateway
from gateways.sqlite import SQLiteGateway
from mapper import ConnectionLost, select
from mapper.gateway import Gateway
from mapper.testing import FaultyGateway
from tests.combining.schema import (
    Course,
    CourseLessons,
    Courses,
    CourseTeacher,
    Lesson,
    Lessons,
    School,
    Teacher,
    Teachers,
)
from tests.servers.fixtures import Databases

MANY = 2_000
QUERY = select(Course).from_(Courses).order_by(Courses.id).combine(CourseLessons).combine(CourseTeacher)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def narrow(request: pytest.FixtureRequest) -> AsyncIterator[Gateway]:
    """A gateway with one connection, whose store has many courses."""
    url = ""
    own: Databases | None = request.getfixturevalue("databases") if request.param == "postgres" else None
    if own is not None:
        url = await own.create()
    made: dict[str, Gateway] = {
        "memory": MemoryGateway(),
        "sqlite": SQLiteGateway(":memory:", max_connections=1),
    }
    gateway = made[request.param] if own is None else PostgresGateway(url, max_connections=1, pool_timeout=2)
    async with gateway:
        school = School(gateway)
        await school.push_schema()
        changes = School.change()
        teacher = changes.inserts(Teachers).push(Teacher("Ada"))
        for number in range(MANY):
            course = changes.inserts(Courses).push(Course(f"c{number}"), Courses.teacher_id.to(teacher))
            changes.inserts(Lessons).push(Lesson(f"l{number}"), Lessons.course_id.to(course), Lessons.number.to(1))
        await changes.commit(school)
        yield gateway
    if own is not None:
        await own.drop(url)


@pytest.mark.feature("T16", "B1")
async def test_combined_stream_with_a_pool_of_one_gives_every_row(narrow: Gateway):
    number = 0
    async for course, lessons, teacher in QUERY.execute(School(narrow)):
        assert (course, lessons, teacher) == (Course(f"c{number}"), [Lesson(f"l{number}")], Teacher("Ada"))
        number += 1
    assert number == MANY
    assert narrow.statistics().in_use == 0


async def test_combined_stream_left_early_gives_its_connection_back(narrow: Gateway):
    school = School(narrow)
    async with QUERY.execute(school) as rows:
        async for course, lessons, _ in rows:
            assert lessons == [Lesson("l0")]
            assert course == Course("c0")
            break
    assert narrow.statistics().in_use == 0
    assert await QUERY.count(school) == MANY


async def test_combined_stream_that_fits_its_first_batch_holds_nothing(narrow: Gateway):
    school = School(narrow)
    async for _, lessons, _ in QUERY.where(Courses.id <= 3).execute(school):
        assert narrow.statistics().in_use == 0
        assert len(lessons) == 1
        assert await select(Teachers.name).one(school) == "Ada"


async def test_combined_stream_whose_related_read_fails_gives_its_connection_back(narrow: Gateway):
    faulty = FaultyGateway(narrow, at=2, drop=False, error=lambda operation: ConnectionLost("cut", operation=operation))
    with pytest.raises(ConnectionLost, match="cut"):
        async for _ in QUERY.execute(School(faulty)):
            pass
    assert await QUERY.count(School(narrow)) == MANY
    assert narrow.statistics().in_use == 0


async def test_combined_read_whose_sibling_fails_raises_its_error_alone():
    async with MemoryGateway() as gateway:
        school = School(gateway)
        await school.push_schema()
        changes = School.change()
        teacher = changes.inserts(Teachers).push(Teacher("Ada"))
        changes.inserts(Courses).push(Course("c"), Courses.teacher_id.to(teacher))
        await changes.commit(school)
        with pytest.raises(ConnectionLost):
            await QUERY.all(School(FaultyGateway(gateway, at=3, drop=True)))
