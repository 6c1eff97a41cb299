"""What inserts, upserts, updates and deletes do."""

from decimal import Decimal
from typing import Any

import pytest

from gateways.memory import MemoryGateway
from mapper import functions as fn
from mapper.columns import Column, column
from mapper.errors import (
    MissingRow,
    NotNullViolation,
    StaleRow,
    StatementError,
    StoreFull,
    UniqueViolation,
    ValueNotStorable,
)
from mapper.operations import Result, UpdateByKey
from mapper.relation import Relation
from mapper.selecting import scalar, select
from mapper.terms import excluded, outer
from tests.memory.shop import (
    Accounts,
    Comments,
    Membership,
    Memberships,
    Post,
    Posts,
    Users,
    conflict,
    create,
    delete,
    delete_rows,
    insert,
    insertion,
    keys,
    rows,
    run,
    update,
    update_rows,
)

LARGEST = 2**63 - 1


async def titles(gateway: MemoryGateway) -> list[str]:
    return await rows(gateway, select(Posts.title))


# -- inserts
# ---------------------------------------------------------------------------------------------------------------


@pytest.mark.feature("T22")
async def test_insert_returns_columns_in_the_order_given(gateway: MemoryGateway):
    result = await insert(gateway, Users, {"name": "b"}, {"name": "a"}, returning=("name", "id"))
    assert result == Result([("b", 1), ("a", 2)], count=2)


@pytest.mark.feature("T4")
async def test_insert_fills_what_is_not_given(gateway: MemoryGateway):
    await insert(gateway, Posts, {"title": "x"})
    assert await rows(gateway, select(Posts.id, Posts.visits, Posts.public, Posts.body)) == [(1, 0, True, None)]
    await insert(gateway, Accounts, {"balance": 5})
    assert await rows(gateway, select(Accounts.version, Accounts.minimum)) == [(1, 0)]


async def test_insert_of_no_rows_does_nothing(gateway: MemoryGateway):
    assert await run(gateway, insertion(Users)) == Result([], count=0)


@pytest.mark.feature("T5")
async def test_keys_are_counted_and_never_used_again(gateway: MemoryGateway):
    assert await keys(gateway, Users, {"name": "a"}, {"name": "b"}) == [1, 2]
    await run(gateway, delete(Users, Users.id == 2))
    assert await keys(gateway, Users, {"name": "c"}) == [3]


@pytest.mark.feature("T5")
async def test_key_that_is_given_raises_the_counter(gateway: MemoryGateway):
    assert await keys(gateway, Users, {"id": 7, "name": "a"}) == [7]
    assert await keys(gateway, Users, {"id": -3, "name": "b"}) == [-3]
    assert await keys(gateway, Users, {"name": "c"}) == [8]


async def test_counter_at_its_end_is_an_error(gateway: MemoryGateway):
    await keys(gateway, Users, {"id": LARGEST, "name": "a"})
    with pytest.raises(StoreFull, match="largest key"):
        await keys(gateway, Users, {"name": "b"})


@pytest.mark.feature("T22")
async def test_insert_that_fails_half_way_inserts_nothing(gateway: MemoryGateway):
    await insert(gateway, Users, {"name": "a"})
    with pytest.raises(UniqueViolation):
        await insert(gateway, Users, {"name": "b"}, {"name": "a"})
    assert await rows(gateway, select(Users.name)) == ["a"]
    assert await keys(gateway, Users, {"name": "b"}) == [2]


async def test_rows_that_are_kept_are_not_the_callers(gateway: MemoryGateway):
    tags = ["a"]
    await insert(gateway, Posts, {"title": "x", "tags": tags})
    tags.append("b")
    first = await rows(gateway, select(Posts.tags))
    first[0].append("c")
    assert await rows(gateway, select(Posts.tags)) == [["a"]]


async def test_relation_without_a_key_keeps_its_rows(gateway: MemoryGateway):
    class Lines(Relation[Post]):
        title: Column[str]
        body: Column[str | None]

    await create(gateway, Lines)
    await insert(gateway, Lines, {"title": "a"}, {"title": "a"})
    assert await rows(gateway, select(Lines.title)) == ["a", "a"]
    assert (await run(gateway, delete(Lines, Lines.title == "a"))).count == 2


# -- upserts
# ---------------------------------------------------------------------------------------------------------------


async def upsert(gateway: MemoryGateway, *given: dict[str, Any], on: Any, returning: tuple[str, ...] = ()) -> Result:
    return await insert(gateway, Users, *given, conflict=on, returning=returning)


@pytest.mark.feature("T25")
async def test_upsert_inserts_updates_and_tells_which(gateway: MemoryGateway):
    await insert(gateway, Users, {"name": "a", "email": "old"})
    on = conflict("name", relation=Users, assignments=[Users.email.to(excluded(Users.email))])
    result = await upsert(
        gateway, {"name": "b", "email": "1"}, {"name": "a", "email": "2"}, on=on, returning=("id", "email")
    )
    assert result == Result([(2, "1"), (1, "2")], count=2, inserted=1, updated=1, outcomes=["inserted", "updated"])


@pytest.mark.feature("T25")
async def test_upsert_without_assignments_leaves_the_stored_row(gateway: MemoryGateway):
    await insert(gateway, Users, {"name": "a", "email": "old"})
    result = await upsert(
        gateway,
        {"name": "a", "email": "new"},
        {"name": "b", "email": "x"},
        on=conflict("name", relation=Users),
        returning=("id",),
    )
    assert result == Result([(None,), (2,)], count=1, inserted=1, ignored=1, outcomes=["ignored", "inserted"])
    assert await rows(gateway, select(Users.email).order_by(Users.id)) == ["old", "x"]


@pytest.mark.feature("T25")
async def test_upsert_on_any_conflict_looks_at_every_key(gateway: MemoryGateway):
    await insert(gateway, Users, {"name": "a", "email": "x"})
    result = await upsert(
        gateway, {"name": "b", "email": "x"}, {"name": "a", "email": "y"}, on=conflict(relation=Users)
    )
    assert (result.inserted, result.ignored) == (0, 2)


@pytest.mark.feature("T25")
async def test_upsert_on_one_key_fails_on_another(gateway: MemoryGateway):
    await insert(gateway, Users, {"name": "a", "email": "x"})
    with pytest.raises(UniqueViolation) as failed:
        await upsert(gateway, {"name": "b", "email": "x"}, on=conflict("name", relation=Users))
    assert failed.value.columns == ("email",)


@pytest.mark.feature("T25")
async def test_upsert_updates_only_where_its_condition_holds(gateway: MemoryGateway):
    await insert(gateway, Accounts, {"id": 1, "balance": 5}, {"id": 2, "balance": 50})
    on = conflict(
        "id",
        relation=Accounts,
        where=excluded(Accounts.balance) > Accounts.balance,
        assignments=[
            Accounts.balance.to(excluded(Accounts.balance) + Accounts.balance),
            Accounts.version.to(Accounts.version + 1),
        ],
    )
    result = await insert(
        gateway,
        Accounts,
        {"id": 1, "balance": 10},
        {"id": 2, "balance": 10},
        conflict=on,
        returning=("balance", "version"),
    )
    told = Result([(15, 2), (None, None)], count=1, updated=1, ignored=1, outcomes=["updated", "ignored"])
    assert result == told


@pytest.mark.feature("T25")
async def test_two_rows_of_one_upsert_take_effect_in_order(gateway: MemoryGateway):
    on = conflict("name", relation=Users, assignments=[Users.email.to(excluded(Users.email))])
    result = await upsert(
        gateway, {"name": "a", "email": "1"}, {"name": "a", "email": "2"}, on=on, returning=("id", "email")
    )
    assert (result.inserted, result.updated) == (1, 1)
    assert result.rows == [(1, "1"), (1, "2")]


async def test_ignored_row_uses_up_no_key(gateway: MemoryGateway):
    await insert(gateway, Users, {"name": "a"})
    await upsert(gateway, {"name": "a"}, on=conflict(relation=Users))
    assert await keys(gateway, Users, {"name": "b"}) == [2]


async def test_upsert_refuses_a_row_that_no_table_would_take(gateway: MemoryGateway):
    from mapper.errors import CheckViolation

    await insert(gateway, Posts, {"id": 1, "title": "x"})
    with pytest.raises(CheckViolation):
        await insert(gateway, Posts, {"id": 1, "title": "x", "visits": -1}, conflict=conflict("id", relation=Posts))


# -- updates
# ---------------------------------------------------------------------------------------------------------------


@pytest.mark.feature("T24")
async def test_assignments_see_the_row_as_it_was(gateway: MemoryGateway):
    await insert(gateway, Posts, {"title": "x", "visits": 1, "score": 0.0})
    result = await run(
        gateway,
        update(
            Posts,
            Posts.visits.to(Posts.visits + 1),
            Posts.score.to(Posts.visits.cast(float)),
            returning=("visits", "score"),
        ),
    )
    assert result == Result([(2, 1.0)], count=1)


@pytest.mark.feature("T24")
async def test_update_by_query_changes_what_fulfils_it(gateway: MemoryGateway):
    await insert(gateway, Posts, *[{"title": each, "visits": visits} for visits, each in enumerate("abc")])
    assert (await run(gateway, update(Posts, Posts.title.to("x"), where=[Posts.visits > 0]))).count == 2
    assert await titles(gateway) == ["a", "x", "x"]
    assert (await run(gateway, update(Posts, Posts.title.to("y"), where=[Posts.visits > 9]))).count == 0


async def test_update_by_query_may_read_other_relations(gateway: MemoryGateway):
    (ada,) = await keys(gateway, Users, {"name": "ada"})
    await insert(gateway, Posts, {"title": "a", "author_id": ada}, {"title": "b", "author_id": None})
    name = scalar(select(Users.name).where(Users.id == outer(Posts.author_id)))
    change = update(Posts, Posts.body.to(name), where=[Posts.author_id.in_(select(Users.id))])
    assert (await run(gateway, change)).count == 1
    assert await rows(gateway, select(Posts.body)) == ["ada", None]


async def test_update_by_key_of_a_row_that_is_not_there_is_no_error(gateway: MemoryGateway):
    assert (await run(gateway, update(Posts, Posts.title.to("x"), where=[Posts.id == 7]))).count == 0


@pytest.mark.feature("T24")
async def test_rows_are_updated_by_key_each_with_its_values(gateway: MemoryGateway):
    await insert(gateway, Posts, {"title": "a"}, {"title": "b"})
    result = await run(
        gateway, update_rows(Posts, [Posts.title.to("?"), Posts.visits.to(Posts.visits + 0)], ("x", 5, 1), ("y", 6, 2))
    )
    assert result.count == 2
    assert await rows(gateway, select(Posts.title, Posts.visits)) == [("x", 5), ("y", 6)]


@pytest.mark.feature("T12")
async def test_row_that_is_missing_fails_the_whole_operation(gateway: MemoryGateway):
    await insert(gateway, Posts, {"title": "a"})
    with pytest.raises(MissingRow) as failed:
        await run(gateway, update_rows(Posts, [Posts.title.to("?")], ("x", 1), ("y", 2)))
    assert (failed.value.relation, failed.value.row_key) == (Posts, 2)
    assert isinstance(failed.value.operation, UpdateByKey)
    assert await titles(gateway) == ["a"]


@pytest.mark.feature("T12")
async def test_version_guards_updates_and_deletes(gateway: MemoryGateway):
    await insert(gateway, Accounts, {"balance": 1})
    change = [Accounts.balance.to(0)]
    await run(gateway, update_rows(Accounts, change, (2, 1, 1), versioned=True))
    assert await rows(gateway, select(Accounts.balance, Accounts.version)) == [(2, 2)]
    with pytest.raises(StaleRow) as stale:
        await run(gateway, update_rows(Accounts, change, (3, 1, 1), versioned=True))
    assert (stale.value.relation, stale.value.row_key, stale.value.retryable) == (Accounts, 1, False)
    with pytest.raises(StaleRow):
        await run(gateway, delete_rows(Accounts, (1, 1), versioned=True))
    with pytest.raises(MissingRow):
        await run(gateway, delete_rows(Accounts, (9, 1), versioned=True))
    assert (await run(gateway, delete_rows(Accounts, (1, 2), versioned=True))).count == 1


async def test_update_that_changes_a_key_moves_the_row(gateway: MemoryGateway):
    await insert(
        gateway, Memberships, {"user_id": 1, "team": "a", "role": "x"}, {"user_id": 2, "team": "a", "role": "y"}
    )
    await run(
        gateway,
        update(Memberships, Memberships.team.to("b"), where=[Memberships.user_id == 1, Memberships.team == "a"]),
    )
    assert await rows(gateway, select(Memberships.role).where(Memberships.user_id == 1, Memberships.team == "b")) == [
        "x"
    ]
    assert await rows(gateway, select(Memberships.role).where(Memberships.user_id == 1, Memberships.team == "a")) == []


async def test_keys_may_be_exchanged_by_one_update(gateway: MemoryGateway):
    await insert(gateway, Users, {"name": "a"}, {"name": "b"}, {"name": "c"})
    await run(gateway, update(Users, Users.id.to(Users.id + 1)))
    assert await rows(gateway, select(Users.id, Users.name).order_by(Users.id)) == [(2, "a"), (3, "b"), (4, "c")]
    assert await rows(gateway, select(Users.name).where(Users.id == 2)) == ["a"]
    swap = fn.case((Users.name == "a", "b"), (Users.name == "b", "a"), else_=Users.name)
    await run(gateway, update(Users, Users.name.to(swap)))
    assert await rows(gateway, select(Users.name).order_by(Users.id)) == ["b", "a", "c"]
    assert await rows(gateway, select(Users.id).where(Users.name == "a")) == [3]


async def test_update_to_a_key_that_another_row_keeps_fails(gateway: MemoryGateway):
    await insert(gateway, Users, {"name": "a"}, {"name": "b"}, {"name": "c"})
    with pytest.raises(UniqueViolation) as failed:
        await run(gateway, update(Users, Users.name.to("c"), where=[Users.id == 1]))
    assert (failed.value.relation, failed.value.columns, failed.value.constraint) == (Users, ("name",), "uq_users_name")
    with pytest.raises(UniqueViolation):
        await run(gateway, update(Users, Users.name.to("z"), where=[Users.id > 1]))
    assert await rows(gateway, select(Users.name)) == ["a", "b", "c"]


async def test_computed_value_is_kept_where_it_fits_exactly(gateway: MemoryGateway):
    await insert(gateway, Posts, {"title": "x", "visits": 4})
    await run(gateway, update(Posts, Posts.visits.to((Posts.visits / 2).cast(int))))
    half: Any = Posts.visits / 2
    await run(gateway, update(Posts, Posts.visits.to(half), Posts.score.to(Posts.visits.cast(float))))
    assert await rows(gateway, select(Posts.visits, Posts.score)) == [(1, 2.0)]


async def test_computed_value_that_would_lose_digits_is_an_error(gateway: MemoryGateway):
    await insert(gateway, Posts, {"title": "x", "visits": 3, "price": Decimal("1.25")})
    with pytest.raises(StatementError, match=r"1\.5 cannot be stored in Posts\.visits"):
        half: Any = Posts.visits / 2
        await run(gateway, update(Posts, Posts.visits.to(half)))
    with pytest.raises(StatementError, match=r"Posts\.price"):
        await run(gateway, update(Posts, Posts.price.to(Posts.price / Decimal(2))))
    with pytest.raises(StatementError, match=r"Comments\.text"):
        await insert(gateway, Comments, {"post_id": 1, "text": "x" * 20})
        await run(gateway, update(Comments, Comments.text.to(Comments.text + "y")))


async def test_null_computed_for_a_column_that_takes_none_is_a_violation(gateway: MemoryGateway):
    await insert(gateway, Posts, {"title": "x", "visits": 3})
    with pytest.raises(NotNullViolation) as failed:
        await run(gateway, update(Posts, Posts.title.to(Posts.body)))  # type: ignore[arg-type]  # what is tested
    assert (failed.value.relation, failed.value.columns) == (Posts, ("title",))


async def test_integer_that_overflows_in_an_update_is_an_error(gateway: MemoryGateway):
    await insert(gateway, Posts, {"title": "x", "visits": LARGEST})
    with pytest.raises(StatementError, match="integer overflow"):
        await run(gateway, update(Posts, Posts.visits.to(Posts.visits + 1)))


async def test_decimal_keeps_its_scale_through_an_update(gateway: MemoryGateway):
    await insert(gateway, Posts, {"title": "x", "price": Decimal("1.1")})
    await run(gateway, update(Posts, Posts.price.to(Posts.price + Decimal("0.1"))))
    assert [str(each) for each in await rows(gateway, select(Posts.price))] == ["1.20"]


# -- deletes
# ---------------------------------------------------------------------------------------------------------------


@pytest.mark.feature("T24")
async def test_delete_returns_what_was_there(gateway: MemoryGateway):
    await insert(gateway, Posts, {"title": "a"}, {"title": "b"}, {"title": "c"})
    result = await run(gateway, delete(Posts, Posts.title != "b", returning=("title",)))
    assert result == Result([("a",), ("c",)], count=2)
    assert (await run(gateway, delete(Posts, Posts.id == 2, returning=("title",)))).rows == [("b",)]
    assert (await run(gateway, delete(Posts))).count == 0


@pytest.mark.feature("T12")
async def test_delete_of_a_missing_row_by_key_fails(gateway: MemoryGateway):
    await insert(gateway, Memberships, {"user_id": 1, "team": "a", "role": "x"})
    with pytest.raises(MissingRow) as failed:
        await run(gateway, delete_rows(Memberships, (1, "a"), (1, "b")))
    assert failed.value.row_key == (1, "b")
    assert (await run(gateway, delete_rows(Memberships, (1, "a")))).count == 1


async def test_reads_and_writes_through_an_older_relation_of_the_same_table(gateway: MemoryGateway):
    class Titles(Relation[Post], name="posts"):
        title: Column[str]
        id: Column[int] = column(primary_key=True)
        body: Column[str | None] = column(name="content")

    await insert(gateway, Posts, {"title": "a", "visits": 4})
    await insert(gateway, Titles, {"title": "b", "body": "c"})
    assert await rows(gateway, select(Titles.id, Titles.title, Titles.body)) == [(1, "a", None), (2, "b", "c")]
    assert await rows(gateway, select(Titles.title).where(Titles.id == 2)) == ["b"]
    await run(gateway, update(Titles, Titles.title.to(Titles.title + "!"), where=[Titles.title == "a"]))
    await run(gateway, update(Titles, Titles.body.to("new"), where=[Titles.id == 1]))
    assert await rows(gateway, select(Posts.title, Posts.body, Posts.visits).where(Posts.id == 1)) == [("a!", "new", 4)]
    assert (await run(gateway, delete(Titles, Titles.body == "c"))).count == 1

    class Wrong(Relation[Post], name="posts"):
        id: Column[int] = column(primary_key=True)
        title: Column[str]
        body: Column[str | None]

    with pytest.raises(StatementError, match="no column 'body'"):
        await rows(gateway, select(Wrong.title))


async def test_key_of_an_older_relation_may_have_its_columns_in_another_order(gateway: MemoryGateway):
    class Reversed(Relation[Membership, tuple[str, int]], name="memberships"):
        team: Column[str] = column(primary_key=True)
        user_id: Column[int] = column(primary_key=True)
        role: Column[str]

    class Whole(Relation[Membership], name="memberships"):
        user_id: Column[int] = column(primary_key=True)
        role: Column[str]

    await insert(gateway, Memberships, {"user_id": 1, "team": "a", "role": "x"})
    await run(gateway, update_rows(Reversed, [Reversed.role.to("?")], ("y", "a", 1)))
    assert await rows(gateway, select(Reversed.role).where(Reversed.team == "a", Reversed.user_id == 1)) == ["y"]
    with pytest.raises(StatementError, match="another primary key"):
        await run(gateway, update_rows(Whole, [Whole.role.to("?")], ("y", 1)))


async def test_updates_by_key_see_what_those_before_them_did(gateway: MemoryGateway):
    await insert(gateway, Posts, {"title": "a", "visits": 1}, {"title": "b", "visits": 1})
    total = fn.coalesce(scalar(select(fn.sum(Posts.visits))), 0)
    result = await run(gateway, update_rows(Posts, [Posts.visits.to(total)], (0, 1), (0, 2)))
    assert result.count == 2
    assert await rows(gateway, select(Posts.visits).order_by(Posts.id)) == [2, 3]


async def test_upsert_reads_what_its_subqueries_read(gateway: MemoryGateway):
    count = fn.coalesce(scalar(select(fn.count(Users.id))), 0)
    on = conflict("id", relation=Posts, assignments=[Posts.visits.to(count)])
    await insert(gateway, Users, {"name": "a"})
    operation = gateway.compile(insertion(Posts, {"id": 1, "title": "x"}, conflict=on))
    assert operation.reads == {Users}
    await gateway.execute(operation)
    await gateway.execute(operation)
    assert await rows(gateway, select(Posts.visits)) == [1]


async def test_float_that_is_no_number_is_not_kept(gateway: MemoryGateway):
    with pytest.raises(ValueNotStorable, match=r"Posts\.score"):
        gateway.compile(insertion(Posts, {"title": "x", "score": float("nan")}))
