"""Which reads are cached, and on what they depend: no more than they must."""

from typing import Any
from uuid import UUID

import pytest

from mapper import batch, fn, fragment, raw, select
from mapper.cache import CachePolicy
from mapper.errors import CacheConfigError, CacheMiss, CacheReadOnly
from mapper.gateway import Gateway
from mapper.operations import RawSql
from tests.cache.reads import PAPERS, reads_on
from tests.cache.shop import (
    Counted,
    Member,
    Members,
    Note,
    Notes,
    Paper,
    Papers,
    Place,
    Places,
    Shop,
    Team,
    Teams,
    User,
    Users,
    Watched,
)


class Cached:
    """A shop behind a cache, with some rows."""

    def __init__(self, gateway: Gateway, **settings: Any) -> None:
        self.gateway = gateway
        self.watched = Watched(**settings)
        self.shop = Shop(self.watched.cache.wrap(gateway))
        self.plain = Shop(gateway)

    async def filled(self) -> "Cached":
        changes = Shop.change()
        changes.inserts(Users).extend([User("Ada", 1), User("Bob", 2), User("Cy", 3)])
        changes.inserts(Teams).extend([Team("red"), Team("blue")])
        changes.inserts(Papers).extend([Paper(PAPERS[0], "one"), Paper(PAPERS[1], "two")])
        changes.inserts(Places).extend([Place(1, "a", 5), Place(1, "b", 6)])
        await changes.commit(self.plain)
        changes = Shop.change()
        changes.inserts(Members).extend([Member(1, "red"), Member(2, "blue")])
        changes.inserts(Notes).extend([Note("n", 1), Note("m", 2)])
        await changes.commit(self.plain)
        return self

    async def is_hit(self, read: Any) -> bool:
        kinds = await self.watched.kinds(read(self.shop))
        assert kinds, "the cache told nothing of the read"
        return set(kinds) == {"hit"}


@pytest.fixture
async def cached(gateway: Gateway) -> Cached:
    return await Cached(gateway).filled()


@pytest.mark.feature("V6", "M1")
async def test_second_read_of_every_kind_runs_no_operation(cached: Cached):
    counted = Counted(cached.gateway)
    for name, read in reads_on(cached.gateway).items():
        first = await read(cached.shop)
        counted.taken()
        assert await read(cached.shop) == first, name
        assert counted.taken() == 0, name


FIND: dict[str, Any] = {
    "int": (Users, 1, 2, Users.score.to(9)),
    "text": (Teams, "red", "blue", Teams.motto.to("!")),
    "uuid": (Papers, PAPERS[0], PAPERS[1], Papers.title.to("!")),
    "pair": (Places, (1, "a"), (1, "b"), Places.weight.to(0)),
}


@pytest.mark.feature("C2", "V8")
@pytest.mark.parametrize("kind", FIND)
async def test_update_of_one_row_leaves_the_entry_of_another_alone(cached: Cached, kind: str):
    relation, one, other, assignment = FIND[kind]

    def find(key: Any) -> Any:
        return lambda shop: select(relation).find(key).execute(shop)

    await find(one)(cached.shop)
    await find(other)(cached.shop)
    changes = Shop.change()
    changes.update(relation, one, assignment)
    await changes.commit(cached.shop)
    assert await cached.is_hit(find(other))
    assert not await cached.is_hit(find(one))


async def test_update_of_one_row_leaves_the_others_of_a_list_of_keys_alone(cached: Cached):
    query = select(Papers).where(Papers.id.in_([*PAPERS[:3], UUID(int=99)]))
    await query.all(cached.shop)
    changes = Shop.change()
    changes.update(Papers, PAPERS[0], Papers.title.to("new"))
    await changes.commit(cached.shop)
    kinds = await cached.watched.kinds(query.all(cached.shop))
    assert (kinds.count("hit"), kinds.count("miss")) == (3, 1)


async def test_insert_leaves_entries_of_rows_that_are_there_alone_and_ends_those_of_absent_ones(cached: Cached):
    def find(key: int) -> Any:
        return lambda shop: select(Users).find(key).execute(shop)

    await find(1)(cached.shop)
    assert await find(4)(cached.shop) is None
    changes = Shop.change()
    changes.inserts(Users).push(User("Dee"))
    await changes.commit(cached.shop)
    assert await cached.is_hit(find(1))
    assert await find(4)(cached.shop) is not None


async def test_write_of_another_relation_leaves_a_join_alone(cached: Cached):
    def join(shop: Any) -> Any:
        return select(Users.name, Members.team).join(Members, on=Members.user_id == Users.id).all(shop)

    await join(cached.shop)
    changes = Shop.change()
    changes.update(Papers, PAPERS[0], Papers.title.to("new"))
    await changes.commit(cached.shop)
    assert await cached.is_hit(join)


async def test_actions_of_foreign_keys_reach_two_relations_further(cached: Cached):
    note = select(Notes).find(1)
    assert await note.execute(cached.shop) is not None
    changes = Shop.change()
    changes.delete(Users, 1)
    await changes.commit(cached.shop)
    assert await note.execute(cached.shop) is None
    member = select(Members.team).where(Members.id == 2)
    assert await member.all(cached.shop) == ["blue"]
    changes = Shop.change()
    changes.updates(Teams).where(Teams.code == "blue").set(Teams.code.to("navy"))
    await changes.commit(cached.shop)
    assert await member.all(cached.shop) == ["navy"]
    changes = Shop.change()
    changes.delete(Teams, "navy")
    await changes.commit(cached.shop)
    assert await member.all(cached.shop) == [None]


@pytest.mark.feature("M4")
async def test_reads_within_transactions_sandboxes_and_connections_are_not_cached(cached: Cached):
    query, gateway = select(Users.name).order_by(Users.id), cached.shop._executor.gateway
    await query.all(cached.shop)
    cached.watched.taken()
    async with cached.shop.transaction() as tx:
        await query.all(tx)
    assert set(cached.watched.taken()) == {("bypass", "connection")}
    async with cached.shop.sandbox() as box:
        changes = Shop.change()
        changes.update(Users, 1, Users.name.to("boxed"))
        await changes.commit(box)
        assert await query.all(box) == ["boxed", "Bob", "Cy"]
        assert await query.all(cached.shop) == ["Ada", "Bob", "Cy"]
    async with gateway.connection() as connection:
        assert len(await connection.fetch(gateway.compile(query), lambda rows, names: list(rows))) == 3
    assert ("miss", "absent") not in cached.watched.taken()
    await batch(query, query).execute(cached.shop)
    assert {kind for kind, _ in cached.watched.taken()} <= {"bypass"}


def _not_cached(gateway: Gateway) -> dict[str, Any]:
    found: dict[str, Any] = {"volatile": select(Users.id, fn.now())}
    if gateway.name != "memory":
        found["raw"] = raw(User, "select name, score from cache_users")
        found["fragment"] = select(fragment(int, "(select count(*) from cache_notes)"), Users.id)
    if gateway.capabilities.row_locks:
        found["lock"] = select(Users).for_update()
    return found


async def test_reads_that_cannot_be_cached_say_why(cached: Cached):
    for reason, query in _not_cached(cached.gateway).items():
        cached.watched.taken()
        await query.all(cached.shop)
        await query.all(cached.shop)
        assert cached.watched.taken() == [("bypass", reason)] * 2


async def test_read_of_a_relation_without_a_policy_is_not_cached(gateway: Gateway):
    cached = await Cached(gateway, policies={Members: None}).filled()
    await select(Users.name).join(Members, on=Members.user_id == Users.id).all(cached.shop)
    await select(Members).find(1).execute(cached.shop)
    assert cached.watched.taken() == [("bypass", "policy")] * 2
    await select(Users).all(cached.shop)
    assert ("fill", "") in cached.watched.taken()


async def test_raw_write_with_a_stream_of_rows_ends_what_it_changed(cached: Cached):
    if cached.gateway.name == "memory":
        return
    names = select(Users.name).order_by(Users.id)
    await names.all(cached.shop)
    text = "insert into cache_users (name, score) values ('Zed', 0), ('Zoe', 0) returning name, score"
    found = []
    async for each in raw(User, text).execute(cached.shop):
        found.append(each.name)
    assert found == ["Zed", "Zoe"]
    assert (await names.all(cached.shop))[-2:] == ["Zed", "Zoe"]


async def test_raw_write_whose_reads_alone_are_declared_ends_everything(cached: Cached):
    if cached.gateway.name == "memory":
        return
    names = select(Users.name).order_by(Users.id)
    await names.all(cached.shop)
    gateway = cached.shop._executor.gateway
    await gateway.execute(RawSql("/* x */ Update cache_users set name = 'X' where id = 1", reads=frozenset({Users})))
    assert (await names.all(cached.shop))[0] == "X"


async def test_drivers_own_object_ends_everything_at_the_end_of_its_block(cached: Cached):
    names = select(Users.name).order_by(Users.id)
    await names.all(cached.shop)
    async with cached.shop._executor.gateway.connection() as connection:
        assert connection.driver is not None
    assert not await cached.is_hit(names.all)


@pytest.mark.feature("V6", "M1", "C3")
async def test_view_reads_and_writes_nothing(cached: Cached):
    view = cached.shop.cached(ttl=5)
    assert [each.name for each in await select(User).from_(Users).order_by(Users.id).all(view)] == ["Ada", "Bob", "Cy"]
    assert await select(Users).count(view) == 3
    assert await select(Users).find(9).execute(view) is None
    changes = Shop.change()
    changes.delete(Users, 1)
    with pytest.raises(CacheReadOnly):
        await changes.commit(view)
    changes.delete(Users, 2)
    with pytest.raises(CacheReadOnly):
        await changes.commit(view)
    if cached.gateway.name != "memory":
        with pytest.raises(CacheReadOnly):
            await raw(User, "delete from cache_users returning name, score").all(view)
    assert await select(Users).count(cached.plain) == 3
    with pytest.raises(CacheConfigError):
        cached.plain.cached()


@pytest.mark.feature("C3")
async def test_modes_serve_and_keep_as_they_say(cached: Cached):
    names = select(Users.name).order_by(Users.id)
    with pytest.raises(CacheMiss):
        await names.cached(mode="only").all(cached.shop)
    with pytest.raises(CacheMiss):
        await names.all(cached.shop.cached(mode="only"))
    assert set(await cached.watched.kinds(names.cached(mode="off").all(cached.shop))) == {"bypass"}
    await names.all(cached.shop)
    assert set(await cached.watched.kinds(names.all(cached.shop.cached(mode="only")))) == {"hit"}
    assert await cached.watched.kinds(names.all(cached.shop.cached(mode="refresh"))) == ["miss", "fill"]
    only = select(Users).where(Users.id.in_([1, 2]))
    with pytest.raises(CacheMiss):
        await only.all(cached.shop.cached(mode="only"))
    await only.all(cached.shop)
    assert len(await only.all(cached.shop.cached(mode="only"))) == 2


ONLY = select(Users.name).order_by(Users.id).cached(mode="only")
WAYS: dict[str, Any] = {
    "all": lambda shop: ONLY.all(shop),
    "one": lambda shop: ONLY.where(Users.id == 1).one(shop),
    "first": lambda shop: ONLY.first(shop),
    "count": lambda shop: ONLY.count(shop),
    "exists": lambda shop: ONLY.exists(shop),
    "find": lambda shop: select(Users).cached(mode="only").find(1).execute(shop),
    "page": lambda shop: ONLY.page(shop, size=2),
    "union": lambda shop: select(Users.name).union(select(Teams.code)).cached(mode="only").all(shop),
    "mapped": lambda shop: ONLY.map(str.upper).all(shop),
}


@pytest.mark.feature("C4", "V6")
@pytest.mark.parametrize("way", WAYS)
async def test_wishes_of_a_query_hold_for_every_way_to_run_it(cached: Cached, way: str):
    with pytest.raises(CacheMiss):
        await WAYS[way](cached.shop)


async def test_wishes_of_a_query_hold_for_its_stream(cached: Cached):
    with pytest.raises(CacheMiss):
        async for _ in ONLY.execute(cached.shop):
            pass
    assert [each async for each in ONLY.execute(cached.plain)] == ["Ada", "Bob", "Cy"]


async def test_tags_of_one_query_leave_the_entry_of_another_alone(cached: Cached):
    plain = select(Users.name).order_by(Users.id)
    tagged = plain.cached(tags=["front"])
    for _ in range(2):
        await plain.all(cached.shop)
        await tagged.all(cached.shop)
        await plain.all(cached.shop.cached(tags=["back"]))
    assert cached.watched.cache.stats().hits == 3
    await cached.watched.cache.invalidate(tag="front")
    assert await cached.is_hit(plain.all)
    assert not await cached.is_hit(tagged.all)


@pytest.mark.feature("V8")
async def test_invalidations_by_hand_end_what_they_name(cached: Cached):
    cache = cached.watched.cache
    one, two = (lambda shop, key=key: select(Users).find(key).execute(shop) for key in (1, 2))
    tagged = select(Users.name).order_by(Users.id).cached(tags=("front",)).all
    for read in (one, two, tagged):
        await read(cached.shop)
    await cache.invalidate(Users, key=1)
    assert await cached.is_hit(two)
    assert not await cached.is_hit(one)
    assert not await cached.is_hit(tagged)
    await cache.invalidate(tag="front")
    assert await cached.is_hit(one)
    assert not await cached.is_hit(tagged)
    await cache.invalidate(Users)
    assert not await cached.is_hit(one)
    assert not await cached.is_hit(tagged)
    await cache.clear()
    await cache.drain()
    assert not await cached.is_hit(one)
    async with cache.changing(Users):
        cached.watched.taken()
        await one(cached.shop)
        assert cached.watched.taken() == [("miss", "flux")]
    assert not await cached.is_hit(one)
    assert await cached.is_hit(one)


@pytest.mark.parametrize(
    "wrong",
    [{}, {"key": 1}, {"relation": Users, "tag": "x"}, {"relation": Users, "key": (1, 2)}, {"tag": ""}],
    ids=["nothing", "key", "both", "key of two", "tag"],
)
async def test_invalidation_of_nothing_in_particular_is_refused(wrong: dict[str, Any]):
    with pytest.raises(CacheConfigError):
        await Watched().cache.invalidate(**wrong)


async def test_streams_are_kept_when_they_end_by_themselves(cached: Cached):
    query = select(Users.name).order_by(Users.id)
    cached.watched.taken()
    async for _ in query.execute(cached.shop):
        break
    assert ("discarded", "unfinished") in cached.watched.taken() or cached.gateway.name == "memory"
    assert [each async for each in query.execute(cached.shop.cached(max_rows=2))] == ["Ada", "Bob", "Cy"]
    assert ("discarded", "large") in cached.watched.taken()
    assert [each async for each in query.execute(cached.shop)] == ["Ada", "Bob", "Cy"]
    counted = Counted(cached.gateway)
    assert [each async for each in query.execute(cached.shop)] == ["Ada", "Bob", "Cy"]
    assert await query.all(cached.shop) == ["Ada", "Bob", "Cy"]
    assert counted.taken() == 0


async def test_policies_limit_what_is_kept(gateway: Gateway):
    cached = await Cached(gateway, policy=CachePolicy(max_rows=2)).filled()
    read = select(Users).order_by(Users.id).all
    await read(cached.shop)
    assert ("discarded", "large") in cached.watched.taken()
    await select(Users).order_by(Users.id).all(cached.shop.cached(max_rows=9, max_bytes=10))
    assert ("discarded", "large") in cached.watched.taken()
    await select(Users).where(Users.id < 0).all(cached.shop.cached(negative_ttl=0))
    assert ("discarded", "negative") in cached.watched.taken()


async def test_lists_of_values_are_nobodys_in_common(cached: Cached):
    read = select(Users.id, Users.name).order_by(Users.id).all
    first = await read(cached.shop)
    first.clear()
    assert len(await read(cached.shop)) == 3
