"""Rows grow by what relationships lead to: lists, one or None, nested, limited for each owner, in few operations."""

from typing import NamedTuple

import attrs
import pytest

from gateways.memory import MemoryGateway
from mapper import (
    Keyed,
    NotJoined,
    NotStored,
    Query,
    QueryError,
    Repository,
    fn,
    optional,
    prepared,
    select,
)
from mapper.gateway import Gateway, OperationEvent
from tests.combining.schema import (
    ClassMates,
    Course,
    CourseLessons,
    CoursePupils,
    Courses,
    CourseTeacher,
    HeadTeachers,
    Lesson,
    LessonNotes,
    Lessons,
    NewestCourse,
    Note,
    NoteLesson,
    Notes,
    OpenCourses,
    Pupil,
    Pupils,
    School,
    Seats,
    Teacher,
    TeacherCourses,
    TeacherHead,
    TeacherPupils,
    Teachers,
)

COURSES = select(Course).from_(Courses).order_by(Courses.id)
TEACHERS = select(Teacher).from_(Teachers).order_by(Teachers.id)
ADA, BRAHMS, CELIK = Teacher("Ada"), Teacher("Brahms"), Teacher("Çelik")
LOGIC, ANALYSIS, MUSIC, FREE = Course("Logic"), Course("Analysis"), Course("Music"), Course("Free")


def counted(gateway: Gateway) -> list[OperationEvent]:
    """Collect the operations from now on."""
    events: list[OperationEvent] = []
    gateway.subscribe(events.append)
    return events


@pytest.mark.feature("T13", "T16", "B8")
async def test_combine_belongs_to_with_null_key_gives_none(school: School):
    rows = await COURSES.combine(CourseTeacher).all(school)
    assert rows == [(LOGIC, ADA), (ANALYSIS, ADA), (MUSIC, BRAHMS), (FREE, None)]


@pytest.mark.feature("T13", "T16")
async def test_combine_has_many_gives_lists_in_the_order_of_the_relationship(school: School):
    rows = await TEACHERS.combine(TeacherCourses).all(school)
    assert rows == [(ADA, [LOGIC, ANALYSIS]), (BRAHMS, [MUSIC]), (CELIK, [])]


@pytest.mark.feature("T13", "T16")
async def test_combine_has_one_takes_the_first_in_its_order(school: School):
    rows = await TEACHERS.combine(NewestCourse).all(school)
    assert rows == [(ADA, ANALYSIS), (BRAHMS, MUSIC), (CELIK, None)]


@pytest.mark.feature("T13", "T16")
async def test_combine_filtered_relationship_keeps_its_condition(school: School):
    rows = await TEACHERS.combine(OpenCourses).all(school)
    assert rows == [(ADA, [LOGIC]), (BRAHMS, [MUSIC]), (CELIK, [])]


@pytest.mark.feature("T13", "T16")
async def test_combine_self_referential_both_ways(school: School):
    rows = await TEACHERS.combine(TeacherHead).combine(HeadTeachers).all(school)
    assert rows == [(ADA, None, [BRAHMS, CELIK]), (BRAHMS, ADA, []), (CELIK, ADA, [])]


@pytest.mark.feature("T13", "T16")
async def test_combine_composite_key_leaves_out_keys_with_null(school: School):
    lessons = select(Lesson).from_(Lessons).order_by(Lessons.course_id, Lessons.number).limit(3)
    assert await lessons.combine(LessonNotes).all(school) == [
        (Lesson("1.1"), [Note("a"), Note("b")]),
        (Lesson("1.2"), [Note("c")]),
        (Lesson("1.3"), []),
    ]
    notes = select(Note).from_(Notes).order_by(Notes.id)
    assert [lesson for _, lesson in await notes.combine(NoteLesson).all(school)] == [
        Lesson("1.1"), Lesson("1.1"), Lesson("1.2"), Lesson("3.1"), None, None,
    ]  # fmt: skip


@pytest.mark.feature("T14", "T16")
async def test_combine_many_to_many_through_its_link(school: School):
    rows = await COURSES.combine(CoursePupils).all(school)
    assert rows == [
        (LOGIC, [Pupil("Dee"), Pupil("Eli")]),
        (ANALYSIS, [Pupil("Dee")]),
        (MUSIC, [Pupil("Fay")]),
        (FREE, []),
    ]
    by_row = select(Pupil).from_(Pupils).order_by(Seats.row)  # type: ignore[arg-type]  # a relation on the way there
    assert (await COURSES.combine(CoursePupils, by_row).all(school))[0] == (LOGIC, [Pupil("Eli"), Pupil("Dee")])


@pytest.mark.feature("T14", "T16")
async def test_combine_through_gives_each_row_once(school: School):
    rows = await TEACHERS.combine(TeacherPupils).all(school)
    assert rows == [(ADA, [Pupil("Dee"), Pupil("Eli")]), (BRAHMS, [Pupil("Fay")]), (CELIK, [])]
    mates = select(Pupil).from_(Pupils).order_by(Pupils.id).combine(ClassMates)
    assert dict([(pupil.name, [each.name for each in more]) for pupil, more in await mates.all(school)]) == {
        "Dee": ["Dee", "Eli"], "Eli": ["Dee", "Eli"], "Fay": ["Fay"], "Gus": [],
    }  # fmt: skip


@pytest.mark.feature("T16")
async def test_combine_limit_and_offset_hold_for_each_owner(school: School):
    lessons = select(Lesson).from_(Lessons).order_by(Lessons.number.desc()).limit(2)
    rows = await COURSES.combine(CourseLessons, lessons).all(school)
    assert [[each.topic for each in more] for _, more in rows] == [["1.3", "1.2"], ["2.1"], ["3.2", "3.1"], []]
    rows = await COURSES.combine(CourseLessons, lessons.limit(1).offset(1)).all(school)
    assert [[each.topic for each in more] for _, more in rows] == [["1.2"], [], ["3.1"], []]
    pupils = select(Pupil).from_(Pupils).order_by(Pupils.name.desc()).limit(1)
    assert [more for _, more in await TEACHERS.combine(TeacherPupils, pupils).all(school)] == [
        [Pupil("Eli")], [Pupil("Fay")], [],
    ]  # fmt: skip


@pytest.mark.feature("T16")
async def test_combine_nested_and_siblings_take_one_operation_for_each_level(school: School, gateway: Gateway):
    lessons = (
        select(Lesson)
        .from_(Lessons)
        .where(Lessons.number < 3)
        .combine(LessonNotes)
        .combine(LessonNotes, select(Notes.text).order_by(Notes.text.desc()).limit(1))
    )
    query = COURSES.combine(CourseLessons, lessons).combine(CoursePupils).combine(CourseTeacher)
    events = counted(gateway)
    rows = await query.all(school)
    assert rows[0] == (
        LOGIC,
        [(Lesson("1.1"), [Note("a"), Note("b")], ["b"]), (Lesson("1.2"), [Note("c")], ["c"])],
        [Pupil("Dee"), Pupil("Eli")],
        ADA,
    )
    assert rows[3] == (FREE, [], [], None)
    assert len(events) == 6
    assert all(len(each.operation.reads) <= 2 for each in events)


@pytest.mark.feature("T16")
@pytest.mark.parametrize("many", [1, 300])
async def test_combine_operations_do_not_depend_on_the_number_of_owners(school: School, gateway: Gateway, many: int):
    changes = School.change()
    for number in range(many):
        course = changes.inserts(Courses).push(Course(f"c{number}"), Courses.teacher_id.to(3))
        changes.inserts(Lessons).push(Lesson("x"), Lessons.course_id.to(course), Lessons.number.to(1))
    await changes.commit(school)
    events = counted(gateway)
    rows = await COURSES.combine(CourseLessons).combine(CourseTeacher).all(school)
    assert len(rows) == many + 4
    assert rows[-1] == (Course(f"c{many - 1}"), [Lesson("x")], CELIK)
    assert len(events) == 3


@pytest.mark.feature("T16")
async def test_combine_without_owners_or_keys_asks_nothing_more(school: School, gateway: Gateway):
    events = counted(gateway)
    assert await COURSES.where(Courses.title == "none").combine(CourseLessons).all(school) == []
    assert await COURSES.where(Courses.teacher_id.is_null()).combine(CourseTeacher).all(school) == [(FREE, None)]
    assert len(events) == 2


async def test_combine_of_repeated_owners_gives_each_a_list_of_its_own(school: School):
    query = select(Course).from_(Courses).join(Lessons, on=Lessons.course_id == Courses.id).where(Courses.id == 1)
    rows = await query.combine(CoursePupils).all(school)
    assert [row[1] for row in rows] == [[Pupil("Dee"), Pupil("Eli")]] * 3
    rows[0][1].clear()
    assert rows[1][1] == [Pupil("Dee"), Pupil("Eli")]


async def test_combine_starts_from_a_joined_relation(school: School):
    query = (
        select(Courses.title, optional(Teachers.name))
        .left_join(Teachers, on=Teachers.id == Courses.teacher_id)
        .order_by(Courses.id)
        .combine(HeadTeachers)
    )
    assert await query.all(school) == [
        ("Logic", "Ada", [BRAHMS, CELIK]),
        ("Analysis", "Ada", [BRAHMS, CELIK]),
        ("Music", "Brahms", []),
        ("Free", None, []),
    ]


@attrs.frozen
class Card:
    course: Course
    lessons: list[Lesson]
    teacher: Teacher | None


@pytest.mark.feature("B10", "T20")
async def test_combine_into_builds_the_aggregate(school: School):
    card = await COURSES.combine(CourseLessons).combine(CourseTeacher).into(Card).first(school)
    assert card == Card(LOGIC, [Lesson("1.1"), Lesson("1.2"), Lesson("1.3")], ADA)


async def test_combine_on_wrappers_keeps_the_key(school: School):
    rows = await select(Courses).order_by(Courses.id).combine(CourseTeacher, select(Teachers)).all(school)
    assert rows[0] == (Keyed(1, LOGIC), Keyed(1, ADA))


async def test_combine_after_map_takes_what_it_gave_as_one_item(school: School):
    rows = await COURSES.map(lambda course: course.title).combine(CourseTeacher).map(len).all(school)
    assert rows == [2, 2, 2, 2]
    titles = await COURSES.map(lambda course: course.title).combine(CourseTeacher).all(school)
    assert titles[0] == ("Logic", ADA)


class Pair(NamedTuple):
    title: str
    number: int


async def test_combine_after_into_a_named_tuple_takes_it_as_one_item(school: School):
    query = select(Courses.title, Courses.id).order_by(Courses.id).into(Pair).combine(CourseTeacher)
    found: object = await query.first(school)
    assert found == (Pair("Logic", 1), ADA)


@pytest.mark.feature("T20")
async def test_combine_related_columns_and_counts(school: School):
    titles = select(Lessons.topic).where(Lessons.number > 1)
    assert [more for _, more in await COURSES.combine(CourseLessons, titles).all(school)] == [
        ["1.2", "1.3"], [], ["3.2"], [],
    ]  # fmt: skip
    counts = select(fn.count()).from_(Lessons)
    assert [more for _, more in await COURSES.combine(CourseLessons, counts).all(school)] == [[3], [1], [2], []]
    rows = select(Seats.row).from_(Pupils).join(Seats, on=Seats.pupil_id == Pupils.id).distinct()
    assert [sorted(more) for _, more in await COURSES.combine(CoursePupils, rows).all(school)] == [
        [1, 2, 3],
        [2, 3],
        [1],
        [],
    ]


async def test_combine_on_find_one_and_first(school: School):
    assert await COURSES.combine(CourseTeacher).find(3).execute(school) == (MUSIC, BRAHMS)
    assert await COURSES.combine(CourseTeacher).find(9).execute(school) is None
    assert await COURSES.where(Courses.id == 1).combine(CourseTeacher).one(school) == (LOGIC, ADA)
    assert await TEACHERS.combine(TeacherCourses).first(school) == (ADA, [LOGIC, ANALYSIS])


async def test_combine_leaves_count_and_exists_alone(school: School, gateway: Gateway):
    events = counted(gateway)
    assert await COURSES.combine(CourseLessons).count(school) == 4
    assert await COURSES.combine(CourseLessons).exists(school)
    assert len(events) == 2


@pytest.mark.feature("T16", "T19")
async def test_combine_on_pages_forth_and_back(school: School):
    query = COURSES.combine(CourseTeacher)
    first = await query.page(school, size=3)
    assert first.items == [(LOGIC, ADA), (ANALYSIS, ADA), (MUSIC, BRAHMS)]
    second = await query.page(school, size=3, after=first.next)
    assert second.items == [(FREE, None)]
    assert second.next is None
    assert await query.page(school, size=3, before=second.previous) == first
    assert [page async for page in query.pages(school, size=3)] == [first.items, second.items]


async def test_combine_in_a_transaction_sees_it(school: School):
    async with school.transaction() as tx:
        changes = School.change()
        changes.inserts(Lessons).push(Lesson("4.1"), Lessons.course_id.to(4), Lessons.number.to(1))
        await changes.commit(tx)
        rows = await COURSES.combine(CourseLessons).combine(CourseTeacher).all(tx)
        assert rows[3] == (FREE, [Lesson("4.1")], None)
        streamed = [row async for row in COURSES.combine(CourseLessons).execute(tx)]
        assert streamed[3] == (FREE, [Lesson("4.1")])


async def test_combine_prepared_binds_values_of_related_queries(school: School):
    @prepared
    def lessons_of(course: str, most: int, topic: str) -> Query[tuple[Course, list[Lesson]], Courses | Lessons]:
        related = select(Lesson).from_(Lessons).where(Lessons.topic != topic).limit(most)
        return select(Course).from_(Courses).where(Courses.title == course).combine(CourseLessons, related)

    assert await lessons_of("Logic", 1, "1.1").one(school) == (LOGIC, [Lesson("1.2")])
    assert await lessons_of("Logic", 5, "").one(school) == (LOGIC, [Lesson("1.1"), Lesson("1.2"), Lesson("1.3")])


async def test_combine_distinct_owners_with_the_key_selected(school: School):
    query = select(Courses.teacher_id).where(Courses.teacher_id.is_not_null()).distinct().order_by(Courses.teacher_id)
    assert await query.combine(CourseTeacher).all(school) == [(1, ADA), (2, BRAHMS)]


async def test_combine_distinct_owners_without_the_key_is_refused(school: School):
    with pytest.raises(QueryError, match=r"combine needs .*teacher_id"):
        await select(Courses.open).distinct().combine(CourseTeacher).all(school)


async def test_combine_of_a_relationship_that_starts_elsewhere_is_refused(school: School):
    with pytest.raises(NotJoined, match="CourseLessons starts from Courses") as raised:
        await TEACHERS.combine(CourseLessons).all(school)  # type: ignore[call-overload]  # what the checker refuses
    assert "TEACHERS" not in str(raised.value)


def test_combine_with_a_query_of_another_relation_is_refused():
    with pytest.raises(QueryError, match="CourseLessons leads to Lessons, and the query reads Pupils"):
        COURSES.combine(CourseLessons, select(Pupil).from_(Pupils))


def test_combine_with_a_set_operation_is_refused():
    lessons = select(Lesson).from_(Lessons)
    with pytest.raises(QueryError, match="no set operation"):
        COURSES.combine(CourseLessons, lessons.union(lessons))


class Little(Repository[Courses]): ...


async def test_combine_of_a_relation_that_is_not_stored_is_refused_before_io(school: School, gateway: Gateway):
    events = counted(gateway)
    with pytest.raises(NotStored, match="Lessons"):
        await COURSES.combine(CourseLessons).all(Little(gateway))  # type: ignore[arg-type]  # what the checker refuses
    assert events == []


def test_combine_twice_is_equal_and_hashes_alike():
    one, other = COURSES.combine(CourseLessons), COURSES.combine(CourseLessons)
    assert one == other
    assert hash(one) == hash(other)
    assert one != COURSES.combine(CourseTeacher)


async def test_combine_of_an_unfilled_store_is_empty():
    async with MemoryGateway() as gateway:
        school = School(gateway)
        await school.push_schema()
        assert await COURSES.combine(CourseLessons).all(school) == []
