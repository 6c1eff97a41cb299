"""
Clearing: every key that begins with a prefix goes, in which no character is special, and no other.
"""

from anyio import create_task_group

from mapper.testing.conformance.drivers.cases import HOUR, Suite
from mapper.testing.conformance.drivers.control import Bench

SUITE = Suite("clearing")


async def _keep(bench: Bench, *names: str) -> None:
    assert await bench.driver.set_many([(bench.key(name), b"1", HOUR) for name in names]) == len(names)


async def _kept(bench: Bench, *names: str) -> list[str]:
    found = await bench.driver.get_many([bench.key(name) for name in names])
    return [name for name, value in zip(names, found, strict=True) if value is not None]


@SUITE.case("every key with the prefix goes, and is counted", "V1", "V9")
async def _(bench: Bench) -> None:
    await _keep(bench, "user:1", "user:2", "user:2:posts", "user:")
    assert await bench.driver.clear(bench.key("user:")) == 4
    assert await _kept(bench, "user:1", "user:2", "user:2:posts", "user:") == []
    assert await bench.driver.clear(bench.key("user:")) == 0


@SUITE.case("siblings of the prefix stay", "V1", "V9")
async def _(bench: Bench) -> None:
    siblings = ("users:1", "user", "use", "User:1", "xuser:1", "user;1")
    await _keep(bench, "user:1", *siblings)
    assert await bench.driver.clear(bench.key("user:")) == 1
    assert await _kept(bench, "user:1", *siblings) == list(siblings)


@SUITE.case("a prefix that is a key goes with what it begins", "V1")
async def _(bench: Bench) -> None:
    await _keep(bench, "a", "ab", "b")
    assert await bench.driver.clear(bench.key("a")) == 2
    assert await _kept(bench, "a", "ab", "b") == ["b"]


@SUITE.case("a prefix that nothing begins with removes nothing", "V1")
async def _(bench: Bench) -> None:
    await _keep(bench, "a")
    assert await bench.driver.clear(bench.key("b")) == 0
    assert await bench.driver.clear(bench.key("a").ljust(bench.driver.info.max_key_bytes, "b")) == 0
    assert await _kept(bench, "a") == ["a"]


# What is special in patterns of servers, shells, SQL or regular expressions, each with a key that the prefix would
# match if it were taken for a pattern.
SPECIAL = {
    "*": ("a*", "a1"),
    "?": ("a?", "a1"),
    "[": ("[a", "a"),
    "]": ("[a]", "a"),
    "\\": ("a\\b", "ab"),
    "^": ("[^b]", "a"),
    "-": ("[a-c]", "b"),
    "%": ("a%", "a1"),
    "_": ("a_", "a1"),
    ".": ("a.", "a1"),
    "+": ("a+", "aa"),
    "$": ("a$", "a"),
    "|": ("a|b", "a"),
    "( )": ("(a)", "a"),
    "{ }": ("{a}", "a"),
    "{ , }": ("{a,b}", "a"),
    "a closing \\": ("a\\", "a"),
    "**": ("**", "ab"),
    "\\*": ("\\*", "*"),
}


def _literal(characters: str, prefix: str, other: str) -> None:
    @SUITE.case(f"{characters} in a prefix stands for itself", "V1")
    async def _(bench: Bench) -> None:
        await _keep(bench, f"{prefix}:1", prefix, f"{other}:1", other)
        assert await bench.driver.clear(bench.key(prefix)) == 2
        assert await _kept(bench, prefix, f"{prefix}:1", f"{other}:1", other) == [f"{other}:1", other]


for _characters, (_prefix, _other) in SPECIAL.items():
    _literal(_characters, _prefix, _other)


@SUITE.case("thousands of keys go at once", "V1")
async def _(bench: Bench) -> None:
    names = [f"n:{number}" for number in range(3000)]
    await _keep(bench, "other", *names)
    assert await bench.driver.clear(bench.key("n:")) == 3000
    assert await _kept(bench, "other", *names) == ["other"]


@SUITE.case("what was cleared can be set again", "V1")
async def _(bench: Bench) -> None:
    await _keep(bench, "a")
    await bench.driver.clear(bench.key("a"))
    assert await bench.driver.add(bench.key("a"), b"2", ttl_ms=HOUR) is None
    assert await bench.driver.get(bench.key("a")) == b"2"


@SUITE.case("keys beside the prefix are untouched while others are set and cleared", "V1")
async def _(bench: Bench) -> None:
    async def write() -> None:
        for number in range(30):
            await _keep(bench, f"n:{number}", f"m:{number}")

    async with create_task_group() as group:
        group.start_soon(write)
        for _ in range(10):
            await bench.driver.clear(bench.key("n:"))
    await bench.driver.clear(bench.key("n:"))
    assert await _kept(bench, *[f"n:{number}" for number in range(30)]) == []
    assert len(await _kept(bench, *[f"m:{number}" for number in range(30)])) == 30


@SUITE.case("tags are cleared like other keys", "V1")
async def _(bench: Bench) -> None:
    await bench.driver.set_many([(bench.tag("a"), b"s1", HOUR), (bench.key("a"), b"1", HOUR)])
    assert await bench.driver.clear(bench.tag("")) == 1
    assert await bench.driver.get_many([bench.tag("a"), bench.key("a")]) == [None, b"1"]
