"""Queries of one shape share what was planned for the first of them, and nothing else."""

from typing import Any

import pytest

from mapper import NotStored, Query, Repository, prepared, select
from mapper.gateway import Gateway
from tests.combining.schema import (
    Course,
    CourseLessons,
    Courses,
    CourseTeacher,
    Lesson,
    LessonNotes,
    Lessons,
    Note,
    Notes,
    School,
    Teacher,
    TeacherCourses,
    Teachers,
)

pytestmark = pytest.mark.feature("T13", "T16")

COURSES = select(Course).from_(Courses).order_by(Courses.id)


async def test_related_rows_in_several_batches_keep_their_order(school: School):
    count = 1300
    changes = School.change()
    lessons = changes.inserts(Lessons)
    for number in range(10, count + 10):
        for course in (1, 4, 2):
            lessons.push(Lesson(f"{course}.{number}"), Lessons.course_id.to(course), Lessons.number.to(number))
    await changes.commit(school)
    related = select(Lesson).from_(Lessons).where(Lessons.number >= 10).order_by(Lessons.number.desc())
    for _ in range(2):
        rows = await COURSES.combine(CourseLessons, related).all(school)
        assert [course.title for course, _ in rows] == ["Logic", "Analysis", "Music", "Free"]
        for key, (_, found) in enumerate(rows, 1):
            numbers = range(count + 9, 9, -1) if key != 3 else ()
            assert [each.topic for each in found] == [f"{key}.{number}" for number in numbers]


async def test_values_of_related_queries_are_their_own(school: School):
    for number, expected in ((1, [3, 1, 2, 0]), (2, [2, 0, 1, 0]), (3, [1, 0, 0, 0]), (1, [3, 1, 2, 0])):
        related = select(Lesson).from_(Lessons).where(Lessons.number >= number)
        rows = await COURSES.combine(CourseLessons, related).all(school)
        assert [len(found) for _, found in rows] == expected


async def test_limits_of_related_queries_are_their_own(school: School):
    for size in (1, 3, 2):
        related = select(Lesson).from_(Lessons).order_by(Lessons.number).limit(size)
        rows = await COURSES.combine(CourseLessons, related).all(school)
        assert [len(found) for _, found in rows] == [min(size, each) for each in (3, 1, 2, 0)]


async def test_functions_of_related_queries_are_their_own(school: School):
    for mark in ("?", "!"):

        def marked(lesson: Lesson, mark: str = mark) -> str:
            return lesson.topic + mark

        related = select(Lesson).from_(Lessons).order_by(Lessons.number).map(marked)
        rows = await COURSES.limit(1).combine(CourseLessons, related).all(school)
        assert [found for _, found in rows] == [[f"1.{number}{mark}" for number in (1, 2, 3)]]


async def test_items_of_related_queries_are_their_own(school: School):
    by_model = select(Lesson).from_(Lessons).order_by(Lessons.number)
    by_column = select(Lessons.topic).order_by(Lessons.number)
    by_pair = select(Lessons.number, Lessons.topic).order_by(Lessons.number)
    one = COURSES.limit(1)
    for _ in range(2):
        topics = ["1.1", "1.2", "1.3"]
        queries: list[tuple[Query[Any, Any], list[Any]]] = [
            (by_model, [Lesson(each) for each in topics]),
            (by_column, topics),
            (by_pair, [(number, each) for number, each in enumerate(topics, 1)]),
        ]
        for related, expected in queries:
            assert await one.combine(CourseLessons, related).all(school) == [(Course("Logic"), expected)]


async def test_combinations_below_combinations_are_their_own(school: School):
    lessons = select(Lesson).from_(Lessons).order_by(Lessons.number)
    for text, expected in (("a", ["a"]), ("b", ["b"]), ("c", [])):
        notes = select(Note).from_(Notes).where(Notes.text == text)
        related: Any = lessons.combine(LessonNotes, notes)
        (first,) = await COURSES.limit(1).combine(CourseLessons, related).all(school)
        assert [each.text for each in first[1][0][1]] == expected


async def test_values_of_owners_are_their_own_where_their_key_is_read_beside_them(school: School):
    for add in (10, 20):
        query = select(Courses.title, Courses.id + add).order_by(Courses.id).limit(2).combine(CourseTeacher)
        assert await query.all(school) == [("Logic", add + 1, Teacher("Ada")), ("Analysis", add + 2, Teacher("Ada"))]


@prepared
def lifted(add: int) -> Query[tuple[str, int, Teacher | None], Any]:
    return select(Courses.title, Courses.id + add).order_by(Courses.id).limit(1).combine(CourseTeacher)


async def test_values_of_prepared_owners_are_bound_where_their_key_is_read_beside_them(school: School):
    for add in (10, 20):
        assert await lifted(add).all(school) == [("Logic", add + 1, Teacher("Ada"))]


class Staff(Repository[Teachers]): ...


async def test_relation_that_is_not_stored_is_refused_each_time(school: School, gateway: Gateway):
    query = select(Teacher).from_(Teachers).order_by(Teachers.id).combine(TeacherCourses)
    assert len(await query.all(school)) == 3
    narrow: Any = Staff(gateway)
    for _ in range(2):
        with pytest.raises(NotStored, match="Courses"):
            await query.all(narrow)
        assert len(await query.all(school)) == 3
