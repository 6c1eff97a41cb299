"""
URLs of PostgreSQL, taken apart: `postgresql://user:password@host:port,host:port/database?name=value`.

A URL goes in; its parts come out, decoded, or an error. No error quotes what stands before the path, nor anything else
that may be a piece of a password whose special characters were not encoded.
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from attrs import field, frozen

from mapper.errors import QueryError

__all__ = ["ENCODE", "Address", "Location", "addresses", "located"]

_URL: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?]*)/?(?P<path>[^?]*)\??(?P<query>.*)"
)
_HOST: Final = re.compile(r"(?:\[(?P<v6>[^\[\]]+)\]|(?P<name>[^:\[\]]*))(?::(?P<port>.*))?")
ENCODE: Final = "what is special in a user or a password is encoded: '@' as %40, '/' as %2F, '?' as %3F, '#' as %23"
"""The step after an error that may come of a password."""


@frozen
class Address:
    """
    Where a server listens.

    Attributes:
        host: A name, a number, or the directory of a socket; None for what the driver takes by default.
        port: None for the default.
    """

    host: str | None
    port: int | None

    def __str__(self) -> str:
        host = f"[{self.host}]" if self.host is not None and ":" in self.host else self.host or ""
        return host if self.port is None else f"{host}:{self.port}"


@frozen
class Location:
    """
    The parts of a URL; what it does not give is None, or empty.

    Attributes:
        parameters: What follows the question mark.
        is_certain: That mark is none of a password whose special characters were not encoded, and may be quoted.
    """

    addresses: tuple[Address, ...]
    user: str | None
    password: str | None = field(repr=False)
    database: str | None
    parameters: Mapping[str, str] = field(repr=False)
    is_certain: bool


def located(url: str) -> Location:
    """
    Take a URL apart.

    Raises:
        QueryError: It is none of PostgreSQL's, or it cannot be told where its parts end.
    """
    found = _URL.fullmatch(url.strip())
    if found is None or found["scheme"] not in ("postgresql", "postgres"):
        given = "" if found is None else f" {found['scheme']!r}"
        raise QueryError(
            f"the URL's scheme{given} is not 'postgresql'", hint="write postgresql://user@host:5432/database"
        )
    if "#" in url:
        raise QueryError("the URL has a bare '#'", hint=ENCODE)
    if "@" in found["path"]:
        raise QueryError("the URL has a bare '@' behind the host", hint=ENCODE)
    login, _, hosts = found["authority"].rpartition("@")
    user, _, password = login.partition(":")
    return Location(
        addresses=addresses(hosts, encoded=True) if hosts else (),
        user=_decoded(user) or None,
        password=_decoded(password) or None,
        database=_decoded(found["path"]) or None,
        parameters=_parameters(found["query"]),
        is_certain="@" in found["authority"] or "@" not in found["query"],
    )


def addresses(hosts: str, *, encoded: bool = False) -> tuple[Address, ...]:
    """
    Read a list of hosts with or without ports: `db1,db2:5433,[::1]:5434`.

    Args:
        encoded: Special characters stand as in a URL.

    Raises:
        QueryError: One is neither a name nor a number, or a port is no number.
    """
    return tuple([_address(each, encoded=encoded) for each in hosts.split(",")])


def _address(text: str, *, encoded: bool) -> Address:
    found = _HOST.fullmatch(text)
    if found is None:
        raise QueryError("a host of the URL cannot be read", hint=f"IPv6 addresses stand in brackets; {ENCODE}")
    host, port = found["v6"] or found["name"], found["port"]
    if port and not (port.isdecimal() and 0 < int(port) < 65536):
        raise QueryError("a port of the URL is no number from 1 to 65535", hint=f"write host:5432; {ENCODE}")
    return Address((_decoded(host) if encoded else host) or None, int(port) if port else None)


def _parameters(query: str) -> Mapping[str, str]:
    read: dict[str, str] = {}
    for each in query.split("&") if query else ():
        name, equals, value = each.partition("=")
        if not equals:
            raise QueryError("a parameter of the URL has no '='", hint=f"write ?name=value&name=value; {ENCODE}")
        if name in read:
            raise QueryError("the URL gives a parameter twice", hint="give it once")
        read[_decoded(name)] = _decoded(value)
    return read


def _decoded(text: str) -> str:
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError:
        decoded = "\0"
    if "\0" in decoded:
        raise QueryError("the URL has an encoded byte that is no character of UTF-8", hint="write 'ö' as %C3%B6")
    return decoded
