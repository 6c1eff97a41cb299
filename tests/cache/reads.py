"""Reads of every kind, by name, each of which gives the same on the same rows."""

from typing import Any
from uuid import UUID

from mapper import Column, CommonTable, exists, fn, optional, outer, prepared, raw, scalar, select, subquery
from tests.cache.shop import Accounts, Members, Note, Notes, Papers, Places, Read, Shop, Team, Teams, User, Users

PAPERS = [UUID(int=each) for each in range(1, 6)]
SHELVES = [(aisle, shelf) for aisle in (1, 2) for shelf in ("a", "b")]
CODES = ["red", "blue", "it's", "ö"]


class Sums(CommonTable):
    user_id: Column[int]
    members: Column[int]


@prepared
def by_name(name: str):
    return select(Users).where(Users.name == name)


def _find(relation: Any, key: Any) -> Read:
    return lambda shop: select(relation).find(key).execute(shop)


def _finds() -> dict[str, Read]:
    keys: dict[Any, list[Any]] = {
        **{each: list(range(1, 7)) for each in (Users, Members, Notes, Accounts)},
        Papers: PAPERS,
        Places: SHELVES,
        Teams: CODES,
    }
    return {f"{each.__name__} {key}": _find(each, key) for each, found in keys.items() for key in found}


async def _pages(shop: Any) -> list[Any]:
    query = select(Users).order_by(Users.name, Users.id)
    first = await query.page(shop, size=2)
    rest = [] if first.next is None else (await query.page(shop, size=2, after=first.next)).items
    return [first.items, rest]


async def _streamed(shop: Any) -> list[Any]:
    return [each async for each in select(Notes).order_by(Notes.id).execute(shop)]


COUNTS = select(Members.user_id, fn.count()).from_(Members).group_by(Members.user_id)
HAVING_MEMBERS = select(Members.id).where(Members.user_id == outer(Users.id))

READS: dict[str, Read] = {
    **_finds(),
    "users": lambda shop: select(Users).order_by(Users.id).all(shop),
    "names": lambda shop: select(Users.name).where(Users.score > 1).order_by(Users.id).all(shop),
    "first": lambda shop: select(Users).order_by(Users.score.desc(), Users.id).first(shop),
    "score of 1": lambda shop: select(Users.score).where(Users.id == 1).all(shop),
    "count of 1": lambda shop: select(fn.count()).from_(Users).where(Users.id == 1).one(shop),
    "1 if rich": lambda shop: select(Users.name).where(Users.id == 1, Users.score > 2).all(shop),
    "count": lambda shop: select(Users).where(Users.score > 1).count(shop),
    "exists": lambda shop: select(Users).where(Users.name == "Ada").exists(shop),
    "aggregates": lambda shop: select(fn.count(), fn.sum(Users.score), fn.max(Users.name)).from_(Users).one(shop),
    "group": lambda shop: COUNTS.order_by(Members.user_id).all(shop),
    "many users": lambda shop: _sorted(select(Users).where(Users.id.in_([1, 2, 3, 9])).all(shop)),
    "many names": lambda shop: _sorted(select(Users.id, Users.name).where(Users.id.in_([2, 2, 4])).all(shop)),
    "many papers": lambda shop: _sorted(select(Papers).where(Papers.id.in_(PAPERS[:3])).all(shop)),
    "many teams": lambda shop: _sorted(select(Teams).where(Teams.code.in_(CODES)).all(shop)),
    "join": lambda shop: (
        select(Users.name, Members.team).join(Members, on=Members.user_id == Users.id).order_by(Members.id).all(shop)
    ),
    "left join": lambda shop: (
        select(Users.name, optional(Members.id), optional(Teams.motto))
        .left_join(Members, on=Members.user_id == Users.id)
        .left_join(Teams, on=Teams.code == Members.team)
        .order_by(Users.id, Members.id)
        .all(shop)
    ),
    "exists within": lambda shop: select(Users.name).where(exists(HAVING_MEMBERS)).order_by(Users.id).all(shop),
    "scalar": lambda shop: (
        select(Users.id, scalar(select(fn.count()).from_(Members).where(Members.user_id == outer(Users.id))))
        .order_by(Users.id)
        .all(shop)
    ),
    "in query": lambda shop: (
        select(Users.name).where(Users.id.in_(select(Members.user_id))).order_by(Users.id).all(shop)
    ),
    "derived": lambda shop: (
        select(Users.name, Sums.members)
        .join(subquery(Sums, COUNTS), on=Sums.user_id == Users.id)
        .order_by(Users.id)
        .all(shop)
    ),
    "cte": lambda shop: select(Sums.user_id, Sums.members).with_(Sums, COUNTS).order_by(Sums.user_id).all(shop),
    "union": lambda shop: select(Users.name).union_all(select(Teams.code)).order_by(Users.name).all(shop),
    "notes": _streamed,
    "pages": _pages,
    "prepared": lambda shop: by_name("Ada").all(shop),
    "note texts": lambda shop: select(Note).from_(Notes).order_by(Notes.id).all(shop),
    "teams": lambda shop: select(Team).from_(Teams).order_by(Teams.code).all(shop),
    "members": lambda shop: select(Members).order_by(Members.id).all(shop),
    "papers": lambda shop: select(Papers).order_by(Papers.id).all(shop),
    "places": lambda shop: select(Places).order_by(Places.aisle, Places.shelf).all(shop),
    "accounts": lambda shop: select(Accounts).order_by(Accounts.id).all(shop),
}

RAW: dict[str, Read] = {
    "raw": lambda shop: raw(User, "select name, score from cache_users order by id").cached(reads=Users).all(shop)
}


async def _sorted(rows: Any) -> list[Any]:
    return sorted(await rows, key=repr)


def reads_on(gateway: Any) -> dict[str, Read]:
    """Return the reads that a gateway has."""
    return READS if gateway.name == "memory" else {**READS, **RAW}


async def rows_of(shop: Shop, reads: dict[str, Read]) -> dict[str, Any]:
    """Return what each read gives."""
    return {name: await read(shop) for name, read in reads.items()}
