"""
What a gateway is made with: a URL and keywords, checked, with the password kept out of sight.

They go in; the arguments of the driver, the limits of the pool, and the server's name for messages come out.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from attrs import field, frozen

from gateways.postgres.pool import Limits
from mapper.errors import CannotConnect

__all__ = ["Settings"]

STATEMENTS: Final = 500
"""How many prepared statements a connection keeps."""

DRIVER_OPTIONS: Final = frozenset({
    "host", "port", "user", "password", "database", "dbname", "passfile", "service", "servicefile", "sslmode", "sslcert", "sslkey", "sslpassword",
    "sslrootcert", "sslcrl", "sslnegotiation", "ssl_min_protocol_version", "ssl_max_protocol_version", "target_session_attrs", "krbsrvname", "gsslib",
})  # fmt: skip
"""Options of a URL that the driver knows; their meanings are those of libpq."""


def _seconds(text: str) -> float:
    return float(text)


_PARSED: Final[Mapping[str, Callable[[str], Any]]] = {
    "max_connections": int,
    "pool_timeout": _seconds,
    "connect_timeout": _seconds,
    "statement_timeout": _seconds,
    "command_timeout": _seconds,
    "max_lifetime": _seconds,
    "max_idle": _seconds,
    "application_name": str,
    "search_path": str,
}


@frozen(kw_only=True)
class Settings:
    """
    Everything that is known of a server and of how it is to be used. Times are in seconds, None is without a limit.

    Attributes:
        dsn: The URL for the driver; never shown.
        shown: The URL without password and options.
    """

    dsn: str = field(repr=False)
    shown: str
    max_connections: int
    pool_timeout: float
    connect_timeout: float
    statement_timeout: float | None
    command_timeout: float | None
    max_lifetime: float
    max_idle: float
    application_name: str | None
    search_path: str | None

    @classmethod
    def read(cls, url: str, keywords: Mapping[str, Any]) -> "Settings":
        """
        Read a URL; its parameters stand above the keywords.

        Raises:
            CannotConnect: The URL is none, or a parameter is unknown or out of its range.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("postgresql", "postgres"):
            raise CannotConnect(
                f"the scheme of the URL is {parts.scheme!r}, expected 'postgresql'",
                hint="write postgresql://user@host/database",
            )
        options = parse_qsl(parts.query, keep_blank_values=True)
        own = {name: _parsed(name, value) for name, value in options if name in _PARSED}
        others = [(name, value) for name, value in options if name not in _PARSED]
        _require_known([name for name, _ in others])
        dsn = urlunsplit(parts._replace(query=urlencode(others)))
        shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        return cls(dsn=dsn, shown=shown, **{**keywords, **own})._checked()

    def _checked(self) -> "Settings":
        if self.max_connections < 1:
            raise CannotConnect(f"max_connections is {self.max_connections!r}, expected at least 1")
        for name in (
            "pool_timeout",
            "connect_timeout",
            "statement_timeout",
            "command_timeout",
            "max_lifetime",
            "max_idle",
        ):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise CannotConnect(f"{name} is {value!r}, expected seconds above 0")
        return self

    @property
    def limits(self) -> Limits:
        """The limits of the pool."""
        return Limits(self.max_connections, self.max_lifetime, self.max_idle)

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the driver's `connect`."""
        return {
            "dsn": self.dsn,
            "timeout": self.connect_timeout,
            "command_timeout": self.command_timeout,
            "statement_cache_size": STATEMENTS,
            "max_cached_statement_lifetime": 0,
            "server_settings": self._server(),
        }

    def _server(self) -> dict[str, str]:
        settings: dict[str, str] = {}
        if self.application_name is not None:
            settings["application_name"] = self.application_name
        if self.search_path is not None:
            settings["search_path"] = self.search_path
        if self.statement_timeout is not None:
            settings["statement_timeout"] = str(max(round(self.statement_timeout * 1000), 1))
        return settings


def _parsed(name: str, value: str) -> Any:
    try:
        return _PARSED[name](value)
    except ValueError:
        expected = "a whole number" if _PARSED[name] is int else "seconds"
        raise CannotConnect(f"the URL's {name} is {value!r}, expected {expected}") from None


def _require_known(names: list[str]) -> None:
    unknown = [each for each in names if each not in DRIVER_OPTIONS]
    if unknown:
        known = ", ".join(sorted({*_PARSED, *DRIVER_OPTIONS}))
        raise CannotConnect(f"the URL has an unknown parameter {unknown[0]!r}", hint=f"known are: {known}")
