"""What relationships in queries refuse, before I/O, and what mends it."""

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from gateways.memory import MemoryGateway
from gateways.postgres import PostgresGateway
from gateways.sqlite import SQLiteGateway
from mapper import (
    Column,
    DeclarationError,
    HasOne,
    NotJoined,
    NotStored,
    QueryError,
    Relation,
    Repository,
    aggregate,
    all_,
    any_,
    fn,
    none_,
    select,
)
from tests.relationships.world import (
    CommentAuthor,
    Comments,
    Employees,
    LiveTags,
    Manager,
    Post,
    PostAuthor,
    PostCommenters,
    PostComments,
    Posts,
    PostTagLinks,
    PostTags,
    Reports,
    Tags,
    Users,
    World,
)

POST: Any = select(Post).from_(Posts)
"""Wrong on purpose: what type checkers refuse is refused at run time too."""

anyone: Any = any_
allof: Any = all_
aggregated: Any = aggregate


@attrs.frozen
class Log:
    line: str


class Logs(Relation[Log]):
    post_id: Column[int]
    line: Column[str]


class LastLog(HasOne[Posts, Logs]):
    key = Logs.post_id
    order = Logs.line.desc()


WRONG: dict[str, tuple[Callable[[], object], type[Exception], str, str]] = {
    "source not joined": (
        lambda: POST.join(CommentAuthor),
        NotJoined,
        "CommentAuthor starts from Comments, which is not among the sources: the query reads from Posts",
        "join it first: .join(Comments, on=…)",
    ),
    "no source at all": (
        lambda: select(fn.count()).join(PostComments),  # type: ignore[call-overload]
        NotJoined,
        "PostComments starts from Posts, which is not among the sources: the query reads from no relation",
        "say .from_(Posts) first",
    ),
    "source under several names": (
        lambda: select(fn.count()).from_(Employees.named("a")).cross_join(Employees.named("b")).join(Reports),
        QueryError,
        "Reports starts from Employees, which the query reads as Employees.named('a'), Employees.named('b')",
        "say from which: .join(Reports, of=…)",
    ),
    "end read already": (
        lambda: POST.join(PostComments).join(PostComments),
        QueryError,
        "PostComments leads to Comments, which the query reads already",
        "join it under another name: .join(PostComments, to=Comments.named('other'))",
    ),
    "self-join without a name": (
        lambda: select(Employees.name).join(Manager),
        QueryError,
        "Manager leads to Employees, which the query reads already",
        "join it under another name: .join(Manager, to=Employees.named('other'))",
    ),
    "end under a name that is taken": (
        lambda: POST.join(PostComments, to=Comments.named("c")).join(PostComments, to=Comments.named("c")),
        QueryError,
        "PostComments leads to Comments.named('c'), which the query reads already",
        "to=Comments.named('other')",
    ),
    "end that is another relation": (
        lambda: POST.join(PostComments, to=Tags),
        QueryError,
        "PostComments leads to Comments, and to= is Tags",
        "give an alias of it: to=Comments.named('other')",
    ),
    "start that is another relation": (
        lambda: POST.join(PostComments, of=Tags),
        QueryError,
        "PostComments starts from Posts, and of= is Tags",
        "give an alias of it: of=Posts.named('other')",
    ),
    "start that is not joined": (
        lambda: POST.join(PostComments, of=Posts.named("p")),
        NotJoined,
        "PostComments starts from Posts.named('p'), which is not among the sources: the query reads from Posts",
        "join it first: .join(Posts.named('p'), on=…)",
    ),
    "relationship with a condition": (
        lambda: POST.join(PostComments, on=Comments.post_id == Posts.id),
        QueryError,
        "PostComments is a relationship, which says itself what it joins on",
        "leave on= away, and say more in where(...)",
    ),
    "relation without a condition": (
        lambda: POST.join(Comments),
        QueryError,
        "a join of Comments without a condition",
        "cross_join",
    ),
    "relation with a name for its end": (
        lambda: POST.join(Comments, on=Comments.post_id == Posts.id, to=Comments.named("c")),
        QueryError,
        "to= and of= are about a relationship, and Comments is none",
        "join an alias itself: .join(Comments.named('other'), on=…)",
    ),
    "full join of several steps": (
        lambda: POST.full_join(PostTags),
        QueryError,
        "PostTags leads over PostTagLinks, and a full join has one step",
        "join the relations one by one, on conditions",
    ),
    "what is no relation": (
        lambda: POST.join(Post),
        DeclarationError,
        "is not a relation",
        "",
    ),
    "first of rows without a key": (
        lambda: POST.join(LastLog),
        QueryError,
        "Logs has no primary key, by which one of its rows can be told from another",
        "declare one: column(primary_key=True)",
    ),
    "condition that is none": (
        lambda: anyone(PostComments, True),
        QueryError,
        "True is not a condition",
        "use & | ~",
    ),
    "condition that is text": (
        lambda: allof(PostComments, Comments.text),
        QueryError,
        "is not a condition but str",
        "compare it",
    ),
    "condition of what is no relationship": (
        lambda: anyone(Comments),
        DeclarationError,
        "is not a relationship",
        "a relationship is a class",
    ),
    "condition of another alias": (
        lambda: anyone(PostComments, of=Tags),
        QueryError,
        "PostComments starts from Posts, and of= is Tags",
        "give an alias of it: of=Posts.named('other')",
    ),
    "aggregate of nothing": (
        lambda: aggregated(PostComments, Comments.votes),
        QueryError,
        "Comments.votes is no aggregate of related rows",
        "give one: fn.count(), fn.max(Comments.id)",
    ),
    "aggregate over a window": (
        lambda: aggregated(PostComments, fn.count().over()),
        QueryError,
        "is no aggregate of related rows",
        "give one: fn.count(), fn.max(Comments.id)",
    ),
    "path of nothing": (lambda: POST.via(), QueryError, "via() of no relationship", ".via(PostComments"),
    "path that does not hang together": (
        lambda: POST.via(PostComments, PostTags),
        QueryError,
        "PostTags starts from Posts, and PostComments leads to Comments",
        "go on with a relationship that starts from Comments",
    ),
    "path from elsewhere": (
        lambda: POST.via(CommentAuthor),
        NotJoined,
        "CommentAuthor starts from Comments, which is not among the sources",
        "join it first",
    ),
    "path of relations": (lambda: POST.via(Comments), DeclarationError, "is not a relationship", ""),
    "path behind a group": (
        lambda: POST.group_by(Posts.id).via(PostComments),
        QueryError,
        "via() behind group_by",
        "Posts.id.in_(select(…))",
    ),
    "path behind a set operation": (
        lambda: POST.union(POST).via(PostComments),
        QueryError,
        "via() behind a set operation",
        "Posts.id.in_(select(…))",
    ),
    "path behind a lock": (lambda: POST.for_update().via(PostComments), QueryError, "via() behind a row lock", ""),
    "path behind a function": (
        lambda: POST.map(str).via(PostComments),
        QueryError,
        "via() behind into, map or combine",
        "behind via()",
    ),
    "path behind some distinct rows": (
        lambda: POST.distinct().limit(3).via(PostComments),
        QueryError,
        "via() behind distinct and a limit",
        "",
    ),
    "path from columns": (
        lambda: select(Posts.title).via(PostComments),
        QueryError,
        "via() leads to Comments, and the query selects Posts.title",
        "select what is wanted of Comments: select(Comments).from_(…).via(…)",
    ),
    "path to what is joined already": (
        lambda: POST.join(PostComments).via(PostComments),
        QueryError,
        "via() leads to Comments, and the query selects",
        "select(Comments).from_(…).via(…)",
    ),
    "recursive path to elsewhere": (
        lambda: POST.via(PostComments, recursive=True),
        QueryError,
        "a recursive path from Posts leads to Comments",
        "end it where it starts",
    ),
    "write on rows of another relation": (
        lambda: World.change().deletes(Users).where(anyone(PostComments)),
        NotJoined,
        "Posts.id is not a column of Users, whose rows are written",
        "",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_use_of_a_relationship_is_refused_when_the_query_is_built(name: str):
    build, kind, message, hint = WRONG[name]
    with pytest.raises(kind) as refused:
        build()
    assert message in str(refused.value)
    assert hint in (refused.value.hint or "")  # type: ignore[attr-defined]  # an error of the framework


GATEWAYS = [MemoryGateway(), SQLiteGateway(":memory:"), PostgresGateway("postgresql://nowhere")]

REFUSED: dict[str, tuple[Any, str]] = {
    "condition of a relation that is not read": (
        select(Users.name).where(anyone(PostComments)),
        "column Posts.id is not among the sources: the query reads from Users",
    ),
    "condition of a relation that is read under a name": (
        select(Posts.named("p").title).from_(Posts.named("p")).where(any_(PostComments)),
        "column Posts.id is not among the sources: the query reads from Posts.named('p')",
    ),
    "condition on rows elsewhere": (
        POST.where(anyone(PostComments, Users.name == "x")),
        "column Users.name is not among the sources: the query reads from Comments",
    ),
    "condition on the row itself": (
        POST.where(anyone(PostComments, Comments.text == Posts.title)),
        "column Posts.title is not among the sources: the query reads from Comments",
    ),
    "column of the relation between of each row once": (
        select(Posts.title, aggregated(PostCommenters, fn.count(Comments.id))),
        "column Comments.id is not among the sources: the query reads from Users",
    ),
    "left join without optional": (
        select(Posts.title, Comments.text).left_join(PostComments),
        "Comments.text is selected, and a join may leave rows without it",
    ),
    "left join of a relation between without optional": (
        select(Posts.title, PostTagLinks.position).left_join(LiveTags),
        "PostTagLinks.position is selected, and a join may leave rows without it",
    ),
}


@pytest.mark.parametrize("gateway", GATEWAYS, ids=[each.name for each in GATEWAYS])
@pytest.mark.parametrize("name", REFUSED)
def test_query_that_reads_what_it_has_not_got_is_refused_when_it_is_compiled(gateway: Any, name: str):
    query, message = REFUSED[name]
    with pytest.raises(QueryError) as refused:
        gateway.compile(query)
    assert message in str(refused.value)


def test_column_of_the_row_itself_is_said_to_be_outer():
    with pytest.raises(NotJoined) as refused:
        GATEWAYS[1].compile(POST.where(anyone(PostComments, Comments.text == Posts.title)))
    assert refused.value.hint == "it is a column of the enclosing query: write outer(Posts.title)"


class Half(Repository[Posts | Tags | Users]): ...


@pytest.mark.feature("B7")
@pytest.mark.parametrize(
    "query",
    [
        POST.join(PostTags),
        POST.where(none_(PostTags)),
        POST.where(any_(PostComments)),
        select(Posts.title, aggregate(PostTags, fn.count())),
        POST.via(PostTags),
    ],
    ids=["join", "none_", "any_", "aggregate", "via"],
)
async def test_relation_on_the_way_that_the_repository_does_not_store_is_refused(query: Any):
    with pytest.raises(NotStored, match=r"PostTagLinks|Comments"):
        await query.all(Half(MemoryGateway()))


def test_error_of_a_condition_over_the_author_names_the_relation():
    with pytest.raises(NotJoined) as refused:
        POST.join(PostAuthor).join(CommentAuthor)
    assert refused.value.relation is Comments
