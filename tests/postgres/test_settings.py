"""A URL and keywords become settings, or an error that lists what is known and shows nothing secret. No server."""

import ssl
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gateways
from gateways.postgres import PostgresGateway
from gateways.postgres.settings import Settings
from gateways.postgres.urls import Address
from mapper.errors import MapperError, QueryError

pytestmark = pytest.mark.feature("T28")


def read(url: str, **keywords: Any) -> Settings:
    return Settings.read(url, keywords)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://db", [Address("db", None)]),
        ("postgres://db:5433/x", [Address("db", 5433)]),
        ("postgresql://u:p@one:1,two,three:3/x", [Address("one", 1), Address("two", None), Address("three", 3)]),
        ("postgresql://[::1]:5433,[fe80::1%25eth0],db/x", [Address("::1", 5433), Address("fe80::1%eth0", None), Address("db", None)]),
        ("postgresql://%2Frun%2Fpg:5433/x", [Address("/run/pg", 5433)]),
        ("postgresql:///x?host=/run/pg", [Address("/run/pg", None)]),
        ("postgresql:///x?host=one,two&port=1,2", [Address("one", 1), Address("two", 2)]),
        ("postgresql://one,two/x?port=7", [Address("one", 7), Address("two", 7)]),
        ("postgresql://ignored/x?host=::1", [Address("::1", None)]),
        ("postgresql://:5433/x", [Address(None, 5433)]),
        ("postgresql:///x", []),
    ],
)  # fmt: skip
def test_hosts_are_read(url: str, expected: list[Address]):
    assert read(url).addresses == tuple(expected)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://ada:p%40ss%2F%3F%23%3A@h/my%20db", ("ada", "p@ss/?#:", "my db")),
        ("postgresql://ada:a+b@h/a+b", ("ada", "a+b", "a+b")),
        ("postgresql://ad%C3%A4:%F0%9F%94%91@h/%C3%B6", ("adä", "🔑", "ö")),
        ("postgresql://ada@tenant:x@h/d", ("ada@tenant", "x", "d")),
        ("postgresql://h/d?user=ada@tenant&password=a%26b", ("ada@tenant", "a&b", "d")),
        ("postgresql://other:no@h/other?user=ada&password=x&dbname=d", ("ada", "x", "d")),
        ("postgresql://h", (None, None, None)),
        (" postgresql://ada@h/d\n", ("ada", None, "d")),
    ],
)
def test_who_and_what_are_decoded(url: str, expected: tuple[str | None, ...]):
    settings = read(url)
    assert (settings.user, settings.password, settings.database) == expected


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
)
def test_whatever_is_encoded_comes_out(user: str, password: str, database: str):
    from urllib.parse import quote

    parts = [quote(each, safe="") for each in (user, password, database)]
    settings = read("postgresql://{}:{}@h/{}".format(*parts))
    assert (settings.user, settings.password, settings.database) == (user, password, database)


def test_parameters_of_the_url_stand_above_keywords():
    settings = read("postgresql://h/d?max_connections=3&search_path=a,%20b&command_timeout=none", max_connections=9)
    assert (settings.max_connections, settings.search_path, settings.command_timeout) == (3, "a, b", None)
    assert read("postgresql://h/d?sslmode=verify-full", sslmode="disable").sslmode == "verify-full"


def test_arguments_of_the_driver_have_what_is_given_alone():
    settings = read(
        "postgresql://ada@h:1/d?application_name=a&statement_timeout=0.0001&options=-c%20x=1", command_timeout=2.0
    )
    arguments = settings.arguments(settings.addresses[0], "primary")
    assert arguments["server_settings"] == {"application_name": "a", "statement_timeout": "1", "options": "-c x=1"}
    assert {"password", "ssl", "dsn"}.isdisjoint(arguments)
    assert (arguments["host"], arguments["port"], arguments["target_session_attrs"]) == ("h", 1, "primary")
    assert (arguments["command_timeout"], arguments["timeout"]) == (2.0, 10.0)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://x/y", "scheme 'mysql'"),
        ("x/y", "scheme"),
        ("postgresql://x/y?max_conections=3", "'max_conections'.*application_name.*max_connections.*sslmode.*target_session_attrs"),
        ("postgresql://x/y?servicefile=a", "no parameter 'servicefile'"),
        ("postgresql://x/y?max_connections=many", "'many', expected a whole number"),
        ("postgresql://x/y?max_connections=0", "max_connections is 0, expected at least 1"),
        ("postgresql://x/y?statement_cache_size=-1", "statement_cache_size is -1"),
        ("postgresql://x/y?pool_timeout=0", "pool_timeout is 0.0, expected seconds above 0"),
        ("postgresql://x/y?pool_timeout=nan", "pool_timeout is nan"),
        ("postgresql://x/y?command_timeout=inf", "command_timeout is inf"),
        ("postgresql://x/y?command_timeout=soon", "'soon', expected seconds"),
        ("postgresql://x/y?sslmode=on", "sslmode is 'on', expected one of disable, allow"),
        ("postgresql://x/y?target_session_attrs=master", "expected one of any, read-write"),
        ("postgresql://x/y?sslmode=require&sslrootcert=system", "'require' and sslrootcert is 'system'"),
        ("postgresql://x/y?a", "has no '='"),
        ("postgresql://x/y?user=a&user=b", "a parameter twice"),
        ("postgresql://x/y?host=a,b&port=1,2,3", "2 hosts and 3 ports"),
        ("postgresql://x:99999/y", "port"),
        ("postgresql://::1/y", "port|brackets"),
        ("postgresql://x/%FF", "UTF-8"),
        ("postgresql://x/%00", "UTF-8"),
    ],
)  # fmt: skip
def test_wrong_url_is_refused_with_what_is_known(url: str, message: str):
    with pytest.raises(QueryError, match=f"(?s){message}"):
        PostgresGateway(url)
    with pytest.raises(QueryError):
        gateways.open(url)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"max_connections": True}, "max_connections is True"),
        ({"max_connections": "3"}, "max_connections is '3'"),
        ({"pool_timeout": None}, "pool_timeout is None"),
        ({"search_path": 3}, "search_path is 3"),
        ({"application_name": "a\0b"}, "application_name"),
        ({"ssl": True}, "ssl is a bool, expected an SSLContext"),
        ({"ssl": ssl.create_default_context(), "sslmode": "require"}, "TLS is given twice"),
    ],
)
def test_wrong_keyword_is_refused(keywords: Mapping[str, Any], message: str):
    with pytest.raises(QueryError, match=message):
        PostgresGateway("postgresql://h/d", **keywords)


SECRET = "hunter2"


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{SECRET}@h/d",
        f"postgresql://h/d?password={SECRET}&sslpassword={SECRET}",
        f"postgresql://me:{SECRET}@h/d?wrong=1",
        f"postgresql://me:{SECRET}@h:port/d",
        f"postgresql://me:{SECRET}@[::1/d",
        f"postgresql://me:a/{SECRET}@h/d",
        f"postgresql://me:12/{SECRET}@h/d",
        f"postgresql://me:a?{SECRET}@h/d",
        f"postgresql://me:12?{SECRET}@h/d",
        f"postgresql://me:12?{SECRET}=a@h/d",
        f"postgresql://me:a#{SECRET}@h/d",
        f"postgresql://me:{SECRET}%FF@h/d",
        f"me:{SECRET}@h/d",
        f"me:{SECRET}://@h/d",
        f"postgresql:/me:{SECRET}@h/d",
        f"postgresql://me:{SECRET}\u2100@h/d?wrong=1",
    ],
)
def test_password_shows_nowhere_however_the_url_is_wrong(url: str):
    shown = []
    for make in (PostgresGateway, gateways.open):
        try:
            gateway = make(url)
        except MapperError as error:
            shown += [str(error), repr(error), repr(error.__cause__), repr(error.__context__)]
        else:
            shown += [repr(gateway), repr(gateway._settings), str(gateway.statistics())]  # type: ignore[attr-defined]  # what it was made with
    assert SECRET not in " ".join(shown)


def test_password_given_as_a_keyword_shows_nowhere():
    gateway = PostgresGateway("postgresql://h/d", password=SECRET)
    assert SECRET not in repr(gateway) + repr(gateway._settings)


def test_repr_names_hosts_and_database():
    assert (
        repr(PostgresGateway("postgresql://me:x@a:1,[::1]/my%2Fdb"))
        == "PostgresGateway('postgresql://a:1,[::1]/my%2Fdb')"
    )
