"""Plans of queries that combine: one for each operation, nested as the combinations are."""

import pytest

from mapper import Plan, Repository, select
from mapper.errors import NotStored, Unsupported
from mapper.testing import RecordingGateway
from tests.combining.schema import (
    Course,
    CourseLessons,
    Courses,
    Lesson,
    LessonNotes,
    Lessons,
    Notes,
    Pupils,
    School,
    TeacherCourses,
    TeacherHead,
    Teachers,
)

FULL = select(Lesson).from_(Lessons).combine(LessonNotes)
TWO = select(Course).from_(Courses).order_by(Courses.id).limit(2).combine(CourseLessons, FULL)
NESTED = select(Teachers).combine(TeacherCourses, TWO).combine(TeacherHead)


def read(plan: Plan) -> set[str | None]:
    """The tables that a plan reads, its parts left out."""
    below = {name for each in plan.children for name in read(each)}
    return below | ({plan.relation} if plan.relation is not None else set())


async def test_plan_has_a_part_for_each_relationship(school: School):
    plan = await NESTED.explain(school)
    courses, head = plan.parts
    (lessons,) = courses.parts
    (notes,) = lessons.parts
    assert [each.relationship for each in (plan, courses, head, lessons, notes)] == [
        None,
        "TeacherCourses",
        "TeacherHead",
        "CourseLessons",
        "LessonNotes",
    ]
    assert [name in read(each) for name, each in (("teachers", plan), ("courses", courses), ("notes", notes))] == [
        True,
        True,
        True,
    ]
    assert {"teachers", "courses", "lessons", "notes"} <= {each.relation for each in plan.walk()}
    assert (head.parts, notes.parts) == ((), ())


async def test_parts_are_drawn_below_the_names_that_lead_to_them(school: School):
    lines = str(await NESTED.explain(school)).splitlines()
    headings = [lines[index + 1] for index, line in enumerate(lines) if not line]
    assert headings == [
        "TeacherCourses:",
        "TeacherCourses, CourseLessons:",
        "TeacherCourses, CourseLessons, LessonNotes:",
        "TeacherHead:",
    ]


async def test_explaining_a_combination_reads_no_rows(school: School):
    recording = RecordingGateway(school._executor.gateway)
    await NESTED.explain(School(recording))
    assert all(getattr(each, "sql", "").startswith("EXPLAIN") for each in recording.operations)


async def test_measured_parts_have_the_rows_of_their_owners(school: School):
    if school._executor.gateway.name == "sqlite":
        with pytest.raises(Unsupported, match="measures nothing"):
            await NESTED.explain(school, analyze=True)
        return
    plan = await NESTED.explain(school, analyze=True)
    teachers = await NESTED.all(school)
    courses = plan.parts[0]
    lessons = sum(len(lessons) for _, courses, _ in teachers for _, lessons in courses)
    assert plan.actual_rows == len(teachers)
    assert courses.actual_rows == sum(len(each) for _, each, _ in teachers) > 0
    assert courses.parts[0].actual_rows == lessons > 0


async def test_parts_are_asked_about_in_a_transaction(school: School):
    async with school.transaction() as tx:
        assert len((await NESTED.explain(tx)).parts) == 2


async def test_relation_of_a_part_that_is_not_stored_is_refused_before_anything_is_asked(school: School):
    class Small(Repository[Teachers]): ...

    recording = RecordingGateway(school._executor.gateway)
    with pytest.raises(NotStored):
        await NESTED.explain(Small(recording))  # type: ignore[arg-type]  # wrong on purpose
    assert recording.operations == []


async def test_one_found_by_key_has_its_parts(school: School):
    plan = await select(Lessons).combine(LessonNotes).find((1, 1)).explain(school)
    assert [each.relationship for each in plan.parts] == ["LessonNotes"]
    assert "notes" in read(plan.parts[0])


async def test_query_without_combinations_has_no_parts(school: School):
    assert (await select(Pupils).explain(school)).parts == ()
    assert (await select(Notes).explain(school)).relationship is None
