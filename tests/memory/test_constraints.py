"""What tables refuse: NULL, keys, checks, references."""

from decimal import Decimal
from typing import Any

import attrs
import pytest

from gateways.memory import MemoryGateway
from mapper import functions as fn
from mapper.columns import Check, Column, Index, KeyAction, Unique, column
from mapper.errors import (
    CheckViolation,
    ForeignKeyViolation,
    NotNullViolation,
    StatementError,
    UniqueViolation,
    Unsupported,
)
from mapper.operations import Insert
from mapper.relation import Relation, info
from mapper.selecting import select
from mapper.statements import AddColumn, CreateSchema, DropSchema
from tests.memory.shop import (
    Accounts,
    Comments,
    Memberships,
    Posts,
    Users,
    create,
    delete,
    insert,
    insertion,
    keys,
    rows,
    run,
    update,
)


@attrs.frozen
class Thing:
    name: str | None = None


# -- keys
# ------------------------------------------------------------------------------------------------------------------


@pytest.mark.feature("T29")
async def test_key_that_exists_is_refused_with_what_it_is(gateway: MemoryGateway):
    await insert(gateway, Users, {"id": 1, "name": "a"})
    with pytest.raises(UniqueViolation) as failed:
        await insert(gateway, Users, {"id": 1, "name": "b"})
    error = failed.value
    assert (error.relation, error.columns, error.constraint, error.retryable) == (Users, ("id",), None, False)
    assert isinstance(error.operation, Insert)
    assert "id = 1" in str(error)


async def test_composite_key_and_unique_constraint(gateway: MemoryGateway):
    await insert(
        gateway, Memberships, {"user_id": 1, "team": "a", "role": "x"}, {"user_id": 1, "team": "b", "role": "x"}
    )
    with pytest.raises(UniqueViolation) as failed:
        await insert(gateway, Memberships, {"user_id": 1, "team": "a", "role": "z"})
    assert failed.value.columns == ("user_id", "team")
    with pytest.raises(UniqueViolation) as failed:
        await insert(gateway, Memberships, {"user_id": 2, "team": "a", "role": "x"})
    assert (failed.value.columns, failed.value.constraint) == (("team", "role"), "uq_memberships_team_role")


async def test_nulls_do_not_equal_each_other_in_a_unique_column(gateway: MemoryGateway):
    await insert(gateway, Users, {"name": "a", "email": None}, {"name": "b", "email": None})
    assert len(await rows(gateway, select(Users.id))) == 2


class Slots(
    Relation[Thing],
    indexes=[
        Index("name", unique=True, where="active and name <> 'free'", name="one_active"),
        Unique("place", name="placed"),
    ],
):
    id: Column[int] = column(primary_key=True)
    name: Column[str | None]
    active: Column[bool]
    place: Column[Decimal | None]


async def test_unique_index_over_part_of_the_rows(gateway: MemoryGateway):
    await create(gateway, Slots)
    await insert(
        gateway, Slots, {"name": "a", "active": False}, {"name": "a", "active": True}, {"name": "free", "active": True}
    )
    await insert(gateway, Slots, {"name": "a", "active": False}, {"name": "free", "active": True})
    with pytest.raises(UniqueViolation) as failed:
        await insert(gateway, Slots, {"name": "a", "active": True})
    assert failed.value.constraint == "one_active"
    with pytest.raises(UniqueViolation):
        await run(gateway, update(Slots, Slots.active.to(True), where=[Slots.id == 1]))


async def test_equal_decimals_are_one_key(gateway: MemoryGateway):
    await create(gateway, Slots)
    await insert(gateway, Slots, {"active": True, "place": Decimal("1.0")})
    with pytest.raises(UniqueViolation):
        await insert(gateway, Slots, {"active": True, "place": Decimal("1.00")})


# -- checks
# ----------------------------------------------------------------------------------------------------------------


async def test_check_refuses_rows_for_which_it_is_false(gateway: MemoryGateway):
    with pytest.raises(CheckViolation) as failed:
        await insert(gateway, Posts, {"title": "x", "visits": -1})
    assert (failed.value.relation, failed.value.columns, failed.value.constraint) == (
        Posts,
        ("visits",),
        "ck_posts_visits",
    )
    await insert(gateway, Accounts, {"balance": 5, "minimum": 5})
    with pytest.raises(CheckViolation) as failed:
        await run(gateway, update(Accounts, Accounts.balance.to(Accounts.balance - 1)))
    assert failed.value.constraint == "enough"


async def test_check_that_is_null_passes(gateway: MemoryGateway):
    class Spans(Relation[Thing], checks=[Check("finish > start")]):
        id: Column[int] = column(primary_key=True)
        name: Column[str | None]
        start: Column[int]
        finish: Column[int | None]

    await create(gateway, Spans)
    await insert(gateway, Spans, {"start": 1, "finish": None})
    with pytest.raises(CheckViolation):
        await insert(gateway, Spans, {"start": 1, "finish": 1})


@pytest.mark.parametrize(
    ("text", "good", "bad"),
    [
        ("amount >= 0", 0, -1),
        ("amount > -5 and (amount < 10 or amount = 20)", 20, 15),
        ("amount between 1 and 3", 3, 4),
        ("amount not between 1 and 3", 4, 3),
        ("amount in (1, 2, 3)", 2, 4),
        ("amount not in (1, 2)", 3, 2),
        ("not amount = 3", 2, 3),
        ("amount % 2 = 0 and amount * 2 + 1 <> 9", 2, 4),
        ('"amount" <> 7', 6, 7),
        ("coalesce(amount, 0) < 5", 4, 5),
        ("abs(amount) < 5", -4, -5),
        ("amount < 2.5", 2, 3),
        ("length(label) = amount", 3, 4),
        ("label || 'x' = 'abcx' and amount > 0", 1, 0),
        ("lower(label) = 'abc' and label is not null and amount is not null and amount <> 1", 2, 1),
        ("born > '2000-01-01' and amount < 2", 1, 2),
        ("(active or amount > 5) and active = true", 6, None),
    ],
)
async def test_check_in_sql_text_is_understood(gateway: MemoryGateway, text: str, good: int, bad: int | None):
    from datetime import date

    condition: Any = text

    class Things(Relation[Thing], checks=[condition]):
        name: Column[str | None]
        amount: Column[int]
        label: Column[str]
        born: Column[date]
        active: Column[bool]

    await create(gateway, Things)
    rest: dict[str, Any] = {"label": "abc", "born": date(2024, 1, 1), "active": True}
    await insert(gateway, Things, {"amount": good, **rest})
    if bad is not None:
        with pytest.raises(CheckViolation):
            await insert(gateway, Things, {"amount": bad, **rest})


@pytest.mark.parametrize(
    "text",
    [
        "title GLOB 'x*'",
        "amount / 2 = 1",
        "label like 'x%'",
        "unknown > 1",
        "amount >",
        "amount > 0; drop table x",
        "sqrt(amount) > 1",
        "'a' + 1 > 0",
    ],
)
def test_check_that_is_not_understood_is_refused_before_anything_runs(text: str):
    condition: Any = text

    class Things(Relation[Thing], checks=[condition]):
        name: Column[str | None]
        amount: Column[int]
        label: Column[str]

    with pytest.raises(Unsupported, match="does not understand") as refused:
        MemoryGateway().compile_schema(CreateSchema((Things,)))
    assert refused.value.hint is not None
    assert "lambda" in refused.value.hint


@pytest.mark.feature("T4")
async def test_server_defaults_in_text_and_as_expressions(gateway: MemoryGateway):
    from datetime import UTC, date, datetime

    class Things(Relation[Thing]):
        id: Column[int] = column(primary_key=True)
        name: Column[str | None] = column(server_default="'it''s'")
        amount: Column[Decimal] = column(server_default="1.50")
        active: Column[bool] = column(server_default="TRUE")
        made: Column[datetime] = column(server_default="CURRENT_TIMESTAMP")
        changed: Column[datetime] = column(server_default=fn.now())
        day: Column[date] = column(server_default="(current_date)")
        data: Column[dict[str, int]] = column(server_default="'{}'")

    await create(gateway, Things)
    await insert(gateway, Things, {"id": 1})
    found = await rows(
        gateway, select(Things.name, Things.amount, Things.active, Things.made, Things.changed, Things.day, Things.data)
    )
    name, amount, active, made, changed, day, data = found[0]
    assert (name, str(amount), active, data) == ("it's", "1.50", True, {})
    assert made == changed
    assert (made.tzinfo, day) == (UTC, made.date())


def test_server_default_that_is_not_understood_is_refused():
    class Things(Relation[Thing]):
        name: Column[str | None] = column(server_default="nextval('x')")

    with pytest.raises(Unsupported, match="server default of name"):
        MemoryGateway().compile_schema(CreateSchema((Things,)))


async def test_generated_column_follows_the_others(gateway: MemoryGateway):
    from mapper.errors import QueryError

    class Things(Relation[Thing]):
        id: Column[int] = column(primary_key=True)
        name: Column[str | None]
        amount: Column[int]
        double: Column[int] = column(generated="amount * 2")

    await create(gateway, Things)
    await insert(gateway, Things, {"amount": 2})
    await run(gateway, update(Things, Things.amount.to(5)))
    assert await rows(gateway, select(Things.double)) == [10]
    with pytest.raises(QueryError, match="generated"):
        gateway.compile(insertion(Things, {"amount": 1, "double": 2}))


# -- references
# ------------------------------------------------------------------------------------------------------------


@pytest.mark.feature("T29")
async def test_reference_to_nothing_is_refused(gateway: MemoryGateway):
    with pytest.raises(ForeignKeyViolation) as failed:
        await insert(gateway, Comments, {"post_id": 7, "text": "x"})
    error = failed.value
    assert (error.relation, error.columns, error.constraint) == (Comments, ("post_id",), "fk_comments_post_id")
    assert await rows(gateway, select(Comments.id)) == []


async def test_row_that_is_referred_to_stays(gateway: MemoryGateway):
    (post,) = await keys(gateway, Posts, {"title": "x"})
    await insert(gateway, Comments, {"post_id": post, "text": "x"})
    with pytest.raises(ForeignKeyViolation, match="still refers") as failed:
        await run(gateway, delete(Posts, Posts.id == post))
    assert failed.value.relation is Comments
    with pytest.raises(ForeignKeyViolation):
        await run(gateway, update(Posts, Posts.id.to(9)))
    await run(gateway, delete(Comments))
    assert (await run(gateway, delete(Posts))).count == 1


async def test_row_may_refer_to_itself_and_to_rows_of_the_same_operation(gateway: MemoryGateway):
    await insert(gateway, Users, {"id": 1, "name": "a", "boss_id": 2}, {"id": 2, "name": "b", "boss_id": 2})
    with pytest.raises(ForeignKeyViolation):
        await insert(gateway, Users, {"id": 3, "name": "c", "boss_id": 4})


def related(on_delete: KeyAction, on_update_key: KeyAction = "no action") -> tuple[Any, Any]:
    class Parents(Relation[Thing]):
        id: Column[int] = column(primary_key=True)
        name: Column[str | None]
        parent_id: Column[int | None] = column(
            references=lambda: Parents.id, on_delete=on_delete, on_update_key=on_update_key
        )

    class Children(Relation[Thing]):
        id: Column[int] = column(primary_key=True)
        name: Column[str | None]
        parent_id: Column[int | None] = column(
            references=lambda: Parents.id, on_delete=on_delete, on_update_key=on_update_key, server_default="1"
        )

    return Parents, Children


async def family(
    gateway: MemoryGateway, on_delete: KeyAction = "no action", on_update_key: KeyAction = "no action"
) -> tuple[Any, Any]:
    parents, children = related(on_delete, on_update_key)
    await create(gateway, children, parents)
    await insert(
        gateway, parents, {"id": 1, "parent_id": None}, {"id": 2, "parent_id": None}, {"id": 3, "parent_id": 2}
    )
    await insert(gateway, children, {"parent_id": 2}, {"parent_id": 2}, {"parent_id": 3}, {"parent_id": None})
    return parents, children


async def parents_of(gateway: MemoryGateway, relation: Any) -> list[Any]:
    return await rows(gateway, select(relation.parent_id).order_by(relation.id))


async def test_delete_cascades_to_all_that_follows(gateway: MemoryGateway):
    parents, children = await family(gateway, "cascade")
    assert (await run(gateway, delete(parents, parents.id == 2))).count == 1
    assert await rows(gateway, select(parents.id)) == [1]
    assert await parents_of(gateway, children) == [None]


async def test_delete_sets_null(gateway: MemoryGateway):
    parents, children = await family(gateway, "set null")
    await run(gateway, delete(parents, parents.id == 2))
    assert await parents_of(gateway, parents) == [None, None]
    assert await parents_of(gateway, children) == [None, None, 3, None]


async def test_delete_sets_the_default(gateway: MemoryGateway):
    parents, children = await family(gateway, "set default")
    await run(gateway, delete(parents, parents.id == 2))
    assert await parents_of(gateway, children) == [1, 1, 3, None]
    with pytest.raises(ForeignKeyViolation):
        await run(gateway, delete(parents, parents.id == 1))


@pytest.mark.parametrize("action", ["restrict", "no action"])
async def test_delete_is_refused(gateway: MemoryGateway, action: KeyAction):
    parents, children = await family(gateway, action)
    with pytest.raises(ForeignKeyViolation):
        await run(gateway, delete(parents, parents.id == 2))
    await run(gateway, delete(children))
    with pytest.raises(ForeignKeyViolation):
        await run(gateway, delete(parents, parents.id == 2))
    assert (await run(gateway, delete(parents, parents.id == 1))).count == 1


async def test_whole_tree_goes_at_once_where_nothing_restricts(gateway: MemoryGateway):
    parents, children = await family(gateway, "no action")
    await run(gateway, delete(children))
    assert (await run(gateway, delete(parents))).count == 3


async def test_restrict_refuses_at_once(gateway: MemoryGateway):
    parents, children = await family(gateway, "restrict")
    await run(gateway, delete(children))
    with pytest.raises(ForeignKeyViolation):
        await run(gateway, delete(parents))
    assert len(await rows(gateway, select(parents.id))) == 3


async def test_long_chain_of_rows_cascades(gateway: MemoryGateway):
    parents, _ = related("cascade")
    await create(gateway, parents)
    await insert(gateway, parents, *[{"id": each, "parent_id": each - 1 or None} for each in range(1, 3001)])
    await run(gateway, delete(parents, parents.id == 1))
    assert await rows(gateway, select(parents.id)) == []


async def test_ring_of_rows_cascades(gateway: MemoryGateway):
    parents, _ = related("cascade")
    await create(gateway, parents)
    await insert(gateway, parents, {"id": 1, "parent_id": 2}, {"id": 2, "parent_id": 3}, {"id": 3, "parent_id": 1})
    assert (await run(gateway, delete(parents, parents.id == 1))).count == 1
    assert await rows(gateway, select(parents.id)) == []


@pytest.mark.parametrize(
    ("action", "expected"),
    [("cascade", [20, 20, 3, None]), ("set null", [None, None, 3, None]), ("set default", [1, 1, 3, None])],
)
async def test_update_of_a_key_follows_the_reference(gateway: MemoryGateway, action: KeyAction, expected: list[Any]):
    parents, children = await family(gateway, "no action", action)
    await run(gateway, update(parents, parents.id.to(20), where=[parents.id == 2]))
    assert await parents_of(gateway, children) == expected


async def test_update_of_many_keys_cascades_to_the_rows_of_before(gateway: MemoryGateway):
    parents, children = await family(gateway, "no action", "cascade")
    await run(gateway, update(parents, parents.id.to(parents.id + 1)))
    assert await rows(gateway, select(parents.id, parents.parent_id).order_by(parents.id)) == [
        (2, None),
        (3, None),
        (4, 3),
    ]
    assert await parents_of(gateway, children) == [3, 3, 4, None]


@pytest.mark.parametrize("action", ["restrict", "no action"])
async def test_update_of_a_key_is_refused(gateway: MemoryGateway, action: KeyAction):
    parents, children = await family(gateway, "no action", action)
    with pytest.raises(ForeignKeyViolation):
        await run(gateway, update(parents, parents.id.to(20), where=[parents.id == 2]))
    assert await parents_of(gateway, children) == [2, 2, 3, None]


async def test_cascade_that_breaks_a_constraint_undoes_all(gateway: MemoryGateway):
    class Parents(Relation[Thing]):
        id: Column[int] = column(primary_key=True)
        name: Column[str | None]

    class Children(Relation[Thing]):
        id: Column[int] = column(primary_key=True)
        name: Column[str | None]
        parent_id: Column[int] = column(references=lambda: Parents.id, on_delete="set default")

    await create(gateway, Parents, Children)
    await insert(gateway, Parents, {"id": 1}, {"id": 2})
    await insert(gateway, Children, {"parent_id": 2})
    with pytest.raises(NotNullViolation):
        await run(gateway, delete(Parents))
    assert await rows(gateway, select(Parents.id)) == [1, 2]
    assert await rows(gateway, select(Children.parent_id)) == [2]


async def test_reference_to_what_is_not_unique_is_an_error(gateway: MemoryGateway):
    class Children(Relation[Thing]):
        id: Column[int] = column(primary_key=True)
        name: Column[str | None]
        title: Column[str] = column(references=lambda: Posts.title)

    await create(gateway, Children)
    with pytest.raises(StatementError, match="not unique"):
        await insert(gateway, Children, {"title": "x"})


async def test_reference_to_a_table_that_was_never_made_is_an_error(gateway: MemoryGateway):
    parents, children = related("cascade")
    await create(gateway, children)
    with pytest.raises(StatementError, match="push_schema"):
        await insert(gateway, children, {"parent_id": 1})
    assert info(parents).name == "parents"


# -- schema
# ----------------------------------------------------------------------------------------------------------------


@pytest.mark.feature("T31")
async def test_relation_that_was_never_created_is_an_error_with_the_next_step():
    gateway = MemoryGateway()
    with pytest.raises(StatementError, match=r"Users has no table 'users'") as failed:
        await rows(gateway, select(Users.id))
    assert failed.value.hint is not None
    assert "push_schema" in failed.value.hint
    with pytest.raises(StatementError, match="push_schema"):
        await insert(gateway, Users, {"name": "x"})


@pytest.mark.feature("T31")
async def test_create_keeps_what_is_there_and_drop_takes_only_what_is_named(gateway: MemoryGateway):
    await insert(gateway, Users, {"name": "a"})
    await create(gateway, Users, Posts)
    assert await rows(gateway, select(Users.name)) == ["a"]
    for operation in gateway.compile_schema(DropSchema((Memberships, Slots))):
        assert (await gateway.execute(operation)).count == 1
    with pytest.raises(StatementError):
        await rows(gateway, select(Memberships.role))
    assert await rows(gateway, select(Users.name)) == ["a"]


async def test_drop_of_a_table_that_rows_refer_to_is_refused(gateway: MemoryGateway):
    (author,) = await keys(gateway, Users, {"name": "a"})
    await insert(gateway, Posts, {"title": "x", "author_id": author})
    with pytest.raises(ForeignKeyViolation):
        await gateway.execute(gateway.compile_schema(DropSchema((Users,)))[0])
    assert (await gateway.execute(gateway.compile_schema(DropSchema((Users, Posts, Comments)))[0])).count == 3


async def test_tables_of_one_name_in_two_namespaces_are_two(gateway: MemoryGateway):
    class Things(Relation[Thing], name="users", schema="other"):
        id: Column[int] = column(primary_key=True)
        name: Column[str | None]

    await create(gateway, Things)
    await insert(gateway, Things, {"name": "x"})
    assert await rows(gateway, select(Users.id)) == []


@pytest.mark.feature("T34")
async def test_column_is_added_to_a_table_with_rows(gateway: MemoryGateway):
    class Old(Relation[Thing], name="things"):
        id: Column[int] = column(primary_key=True)
        name: Column[str | None]

    class New(Relation[Thing], name="things"):
        id: Column[int] = column(primary_key=True)
        amount: Column[int] = column(server_default="7")
        name: Column[str | None]

    await create(gateway, Old)
    await insert(gateway, Old, {"name": "x"})
    (operation,) = gateway.compile_schema(AddColumn(New, info(New).column("amount")))
    assert (await gateway.execute(operation)).count == 1
    assert await rows(gateway, select(New.id, New.amount, New.name)) == [(1, 7, "x")]
    assert await rows(gateway, select(Old.id, Old.name)) == [(1, "x")]
    assert await keys(gateway, New, {"name": "y"}) == [2]


async def test_column_without_a_default_is_not_added_to_a_table_with_rows(gateway: MemoryGateway):
    class Old(Relation[Thing], name="things"):
        id: Column[int] = column(primary_key=True)
        name: Column[str | None]

    class New(Relation[Thing], name="things"):
        id: Column[int] = column(primary_key=True)
        amount: Column[int]
        name: Column[str | None]

    await create(gateway, Old)
    await insert(gateway, Old, {"name": "x"})
    with pytest.raises(NotNullViolation):
        await gateway.execute(gateway.compile_schema(AddColumn(New, info(New).column("amount")))[0])
    assert await rows(gateway, select(Old.name)) == ["x"]
