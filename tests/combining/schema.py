"""
A school: teachers with a head above them, courses that a teacher gives or nobody, lessons by course and number, pupils
by many-to-many, and notes on lessons by a key of two columns.
"""

import attrs

from mapper import (
    Column,
    Relation,
    Repository,
    column,
)
from mapper.relationships import BelongsTo, HasMany, HasOne, ManyToMany, Through


@attrs.frozen
class Teacher:
    name: str


@attrs.frozen
class Course:
    title: str


@attrs.frozen
class Lesson:
    topic: str


@attrs.frozen
class Note:
    text: str


@attrs.frozen
class Pupil:
    name: str


@attrs.frozen
class Seat:
    row: int


class Teachers(Relation[Teacher]):
    id: Column[int] = column(primary_key=True)
    name: Column[str]
    head_id: Column[int | None] = column(references=lambda: Teachers.id)


class Courses(Relation[Course]):
    id: Column[int] = column(primary_key=True)
    title: Column[str]
    teacher_id: Column[int | None] = column(references=lambda: Teachers.id)
    open: Column[bool] = column(default=True)


class Lessons(Relation[Lesson, tuple[int, int]]):
    course_id: Column[int] = column(primary_key=True, references=lambda: Courses.id)
    number: Column[int] = column(primary_key=True)
    topic: Column[str]


class Notes(Relation[Note]):
    id: Column[int] = column(primary_key=True)
    course_id: Column[int | None]
    number: Column[int | None]
    text: Column[str]


class Pupils(Relation[Pupil]):
    id: Column[int] = column(primary_key=True)
    name: Column[str]


class Seats(Relation[Seat, tuple[int, int]]):
    course_id: Column[int] = column(primary_key=True, references=lambda: Courses.id)
    pupil_id: Column[int] = column(primary_key=True, references=lambda: Pupils.id)
    row: Column[int]


class CourseTeacher(BelongsTo[Courses, Teachers]):
    key = Courses.teacher_id


class TeacherCourses(HasMany[Teachers, Courses]):
    key = Courses.teacher_id
    order = (Courses.title.desc(),)


class OpenCourses(HasMany[Teachers, Courses]):
    key = Courses.teacher_id
    where = Courses.open


class NewestCourse(HasOne[Teachers, Courses]):
    key = Courses.teacher_id
    order = Courses.id.desc()


class TeacherHead(BelongsTo[Teachers, Teachers]):
    key = Teachers.head_id


class HeadTeachers(HasMany[Teachers, Teachers]):
    key = Teachers.head_id


class CourseLessons(HasMany[Courses, Lessons]):
    key = Lessons.course_id


class LessonNotes(HasMany[Lessons, Notes]):
    key = (Notes.course_id, Notes.number)


class NoteLesson(BelongsTo[Notes, Lessons]):
    key = (Notes.course_id, Notes.number)


class CoursePupils(ManyToMany[Courses, Pupils]):
    through = Seats
    keys = (Seats.course_id, Seats.pupil_id)


class PupilCourses(ManyToMany[Pupils, Courses]):
    through = Seats
    keys = (Seats.pupil_id, Seats.course_id)


class TeacherPupils(Through[Teachers, Pupils]):
    path = (TeacherCourses, CoursePupils)


class ClassMates(Through[Pupils, Pupils]):
    path = (PupilCourses, CoursePupils)


class School(Repository[Teachers | Courses | Lessons | Notes | Pupils | Seats]): ...


async def fill(school: School) -> None:
    """Store three teachers, four courses (one without a teacher), lessons, notes and four pupils (one without a seat)."""
    changes = School.change()
    teachers = changes.inserts(Teachers)
    ada = teachers.push(Teacher("Ada"))
    teachers.push(Teacher("Brahms"), Teachers.head_id.to(ada))
    teachers.push(Teacher("Çelik"), Teachers.head_id.to(ada))
    courses = changes.inserts(Courses)
    for title, teacher, is_open in [
        ("Logic", 1, True),
        ("Analysis", 1, False),
        ("Music", 2, True),
        ("Free", None, True),
    ]:
        courses.push(Course(title), Courses.teacher_id.to(teacher), Courses.open.to(is_open))
    lessons = changes.inserts(Lessons)
    for course, number in [(1, 1), (1, 2), (1, 3), (2, 1), (3, 1), (3, 2)]:
        lessons.push(Lesson(f"{course}.{number}"), Lessons.course_id.to(course), Lessons.number.to(number))
    notes = changes.inserts(Notes)
    places: list[tuple[int | None, int | None, str]] = [
        (1, 1, "a"),
        (1, 1, "b"),
        (1, 2, "c"),
        (3, 1, "d"),
        (1, None, "e"),
        (None, None, "f"),
    ]
    for course_id, place, text in places:
        notes.push(Note(text), Notes.course_id.to(course_id), Notes.number.to(place))
    pupils = changes.inserts(Pupils)
    pupils.extend([Pupil("Dee"), Pupil("Eli"), Pupil("Fay"), Pupil("Gus")])
    seats = changes.inserts(Seats)
    for course, pupil, row in [(1, 1, 3), (1, 2, 1), (2, 1, 2), (3, 3, 1)]:
        seats.push(Seat(row), Seats.course_id.to(course), Seats.pupil_id.to(pupil))
    await changes.commit(school)
