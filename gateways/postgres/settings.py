"""
What a gateway is made with: a URL and keywords, checked, with the secrets kept out of sight.

They go in; the arguments of the driver, the limits of the pool, and the server's name for messages come out.
"""

import math
from collections.abc import Awaitable, Callable, Mapping
from ssl import SSLContext
from typing import Any, Final, TypeAlias
from urllib.parse import quote

from attrs import evolve, field, fields, frozen

from gateways.postgres.pool import Limits
from gateways.postgres.urls import ENCODE, Address, Location, addresses, located
from mapper.errors import QueryError

__all__ = ["DRIVER_OPTIONS", "Password", "Settings"]

Password: TypeAlias = str | Callable[[], str | Awaitable[str]]
"""A password, or what gives one for each connection that is opened."""

STATEMENTS: Final = 500
"""How many prepared statements a connection keeps, unless it is told otherwise."""

DRIVER_OPTIONS: Final = frozenset({
    "gsslib", "krbsrvname", "passfile", "service", "sslcrl", "sslnegotiation", "sslpassword", "ssl_max_protocol_version",
    "ssl_min_protocol_version",
})  # fmt: skip
"""Parameters of a URL that the driver understands by itself; their meanings are those of libpq."""

PLACES: Final = frozenset({"database", "dbname", "host", "port", "user", "password"})
"""Parameters of a URL that say what may stand before its question mark too."""

SECONDS: Final = frozenset(
    {"pool_timeout", "connect_timeout", "statement_timeout", "command_timeout", "max_lifetime", "max_idle"}
)
UNLIMITED: Final = frozenset({"statement_timeout", "command_timeout"})
"""Times that may be without a limit."""

WHOLE: Final[Mapping[str, int]] = {"max_connections": 1, "statement_cache_size": 0}
"""Numbers, and the least that each may be."""

WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "target_session_attrs": ("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
    "load_balance_hosts": ("disable", "random"),
}
SWITCHES: Final = frozenset({"merge_point_reads"})
"""What is done or not: `true` or `false` in a URL."""

TEXTS: Final = frozenset({"application_name", "search_path", "options", "sslrootcert", "sslcert", "sslkey"})


@frozen(kw_only=True)
class Settings:
    """
    Everything that is known of a server and of how it is to be used. Times are in seconds, None is without a limit; of
    the rest, None is left to the driver, which looks into libpq's environment variables.

    Attributes:
        addresses: Where to connect, in the order of preference; none for the driver's default.
        driver: Options for the driver alone.
        ssl: A context of the user's own, instead of the other options of TLS.
    """

    addresses: tuple[Address, ...] = ()
    user: str | None = None
    password: Password | None = field(default=None, repr=False)
    database: str | None = None
    max_connections: int = 10
    pool_timeout: float = 30.0
    connect_timeout: float = 10.0
    statement_timeout: float | None = None
    command_timeout: float | None = None
    max_lifetime: float = 3600.0
    max_idle: float = 600.0
    application_name: str | None = None
    search_path: str | None = None
    options: str | None = None
    sslmode: str | None = None
    sslrootcert: str | None = None
    sslcert: str | None = None
    sslkey: str | None = None
    ssl: SSLContext | None = None
    target_session_attrs: str | None = None
    load_balance_hosts: str | None = None
    statement_cache_size: int = STATEMENTS
    merge_point_reads: bool = False
    driver: Mapping[str, str] = field(factory=dict, repr=False)

    @property
    def identity(self) -> tuple[str, ...]:
        """What tells the rows that are seen with these settings from others."""
        places = [str(each) for each in self.addresses]
        given = (self.database, self.user, self.search_path, self.options)
        return (*places, *["" if each is None else each for each in given])

    @classmethod
    def read(cls, url: str, keywords: Mapping[str, Any]) -> "Settings":
        """
        Read a URL; its parameters stand above the keywords.

        Raises:
            QueryError: The URL is none, or a parameter is unknown or out of its range.
        """
        location = located(url)
        given = location.parameters
        _require_known(location)
        own = {name: _parsed(name, text) for name, text in given.items() if name not in DRIVER_OPTIONS | PLACES}
        driver = {name: text for name, text in given.items() if name in DRIVER_OPTIONS}
        settings = cls(**{**keywords, **own}, driver=driver)
        return settings._at(location)._checked()

    def _at(self, location: Location) -> "Settings":
        """Say where the server is. A parameter stands above the same before the question mark, as in libpq."""
        given = location.parameters
        database = given.get("database") or given.get("dbname") or location.database
        user = given.get("user") or location.user
        password = given.get("password") or location.password or self.password
        return evolve(self, addresses=_places(location), user=user, password=password, database=database)

    def _checked(self) -> "Settings":
        for each in fields(Settings):
            _check(each.name, getattr(self, each.name))
        if self.ssl is not None and (self.sslmode or self.sslrootcert or self.sslcert or self.sslkey):
            raise QueryError("TLS is given twice: by ssl and by sslmode or files", hint="an SSLContext says it all")
        if self.sslrootcert == "system" and self.sslmode not in (None, "verify-full"):
            raise QueryError(
                f"sslmode is {self.sslmode!r} and sslrootcert is 'system', expected 'verify-full'",
                hint="the system's authorities sign certificates of any host, so that the host's name must be verified",
            )
        return self

    @property
    def shown(self) -> str:
        """The URL without user, password and parameters."""
        hosts = ",".join(map(str, self.addresses))
        return f"postgresql://{hosts}/{quote(self.database or '', safe='')}"

    @property
    def limits(self) -> Limits:
        """The limits of the pool."""
        return Limits(self.max_connections, self.max_lifetime, self.max_idle)

    @property
    def writes(self) -> bool:
        """Whether connections that refuse writes are of no use."""
        return self.target_session_attrs in ("read-write", "primary")

    def arguments(self, address: Address | None, target: str | None) -> dict[str, Any]:
        """Return the arguments of the driver's `connect` for one host; those of TLS and the `driver` options are apart."""
        arguments = {
            "host": None if address is None else address.host,
            "port": None if address is None else address.port,
            "user": self.user,
            "password": self.password,
            "database": self.database,
            "target_session_attrs": target,
            "timeout": self.connect_timeout,
            "command_timeout": self.command_timeout,
            "statement_cache_size": self.statement_cache_size,
            "max_cached_statement_lifetime": 0,
            "server_settings": self._server(),
        }
        return {name: value for name, value in arguments.items() if value is not None}

    def _server(self) -> dict[str, str]:
        timeout = self.statement_timeout
        settings = {
            "application_name": self.application_name,
            "search_path": self.search_path,
            "options": self.options,
            "statement_timeout": None if timeout is None else str(max(round(timeout * 1000), 1)),
        }
        return {name: value for name, value in settings.items() if value is not None}


def _places(location: Location) -> tuple[Address, ...]:
    """Give the addresses. `host` and `port` are lists; one port alone is that of every host."""
    given = location.parameters
    hosts = [
        f"[{each}]" if each.count(":") > 1 and "[" not in each else each for each in given.get("host", "").split(",")
    ]
    places = addresses(",".join(hosts)) if any(hosts) else location.addresses
    if not given.get("port"):
        return places
    ports = [each.port for each in addresses(",".join(f":{each}" for each in given["port"].split(",")))]
    places = places or (Address(None, None),)
    if len(ports) not in (1, len(places)):
        raise QueryError(f"the URL has {len(places)} hosts and {len(ports)} ports", hint="give one port, or one a host")
    ports = ports * len(places) if len(ports) == 1 else ports
    return tuple([Address(each.host, port) for each, port in zip(places, ports, strict=True)])


def _parsed(name: str, text: str) -> Any:
    if name in SWITCHES:
        return {"true": True, "false": False}.get(text.lower(), text)
    if name in UNLIMITED and text.lower() in ("", "none"):
        return None
    try:
        if name in SECONDS:
            return float(text)
        return int(text) if name in WHOLE else text
    except ValueError:
        expected = "a whole number" if name in WHOLE else "seconds"
        raise QueryError(f"the URL's {name} is {text!r}, expected {expected}") from None


def _check(name: str, value: Any) -> None:
    """
    Refuse what cannot be right, before anything is connected.

    Raises:
        QueryError: The value is none of the option's.
    """
    if name in WHOLE and not (isinstance(value, int) and not isinstance(value, bool) and value >= WHOLE[name]):
        raise QueryError(f"{name} is {value!r}, expected at least {WHOLE[name]}")
    if name in SWITCHES and not isinstance(value, bool):
        raise QueryError(f"{name} is {value!r}, expected true or false")
    if value is None and name not in SECONDS - UNLIMITED:
        return
    if name in SECONDS and not (isinstance(value, int | float) and 0 < value < math.inf):
        raise QueryError(f"{name} is {value!r}, expected seconds above 0")
    if name in WORDS and value not in WORDS[name]:
        raise QueryError(f"{name} is {value!r}, expected one of {', '.join(WORDS[name])}")
    if name in TEXTS and (not isinstance(value, str) or "\0" in value):
        raise QueryError(f"{name} is {value!r}, expected text")
    if name == "ssl" and not isinstance(value, SSLContext):
        raise QueryError(f"ssl is a {type(value).__name__}, expected an SSLContext", hint="write sslmode=… for a mode")


def _require_known(location: Location) -> None:
    known = {*(SECONDS | PLACES | TEXTS | SWITCHES | DRIVER_OPTIONS), *WHOLE, *WORDS}
    unknown = next((each for each in location.parameters if each not in known), None)
    if unknown is None:
        return
    if not location.is_certain:
        raise QueryError("the URL has a parameter that the postgres gateway does not have", hint=ENCODE)
    raise QueryError(
        f"the postgres gateway has no parameter {unknown!r}", hint=f"known are: {', '.join(sorted(known))}"
    )
