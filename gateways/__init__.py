"""
Gateways: one package for each store, and `open`, which makes one from a URL.

A URL goes in; a gateway comes out, or an error that says what is wrong with the URL and never shows it: it may have a
password in it. A gateway's package is imported when it is asked for.
"""

import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from attrs import frozen

from mapper.errors import CannotConnect, QueryError

if TYPE_CHECKING:
    from mapper.gateway import Gateway

__all__ = ["open"]


def open(url: str) -> "Gateway":
    """
    Make the gateway that a URL names. Nothing is connected yet.

    `sqlite:///blog.db` is a file by its relative path, `sqlite:////var/blog.db` by its absolute one, `sqlite://` a
    database in memory; `memory://` is the gateway that keeps Python objects; `postgresql://user:password@host/database`
    is PostgreSQL. What follows `?` are parameters of the gateway, by the names that its class gives them:
    `sqlite:///blog.db?busy_timeout=2&read_only=true`. Characters that mean something in a URL are written as `%3F`.

    Raises:
        QueryError: The scheme or a parameter is unknown, or a value is none of its parameter's type.
        CannotConnect: The library that the gateway needs is not installed.
    """
    whole = _KINDS.get(url.strip().partition(":")[0])
    if whole is not None and whole.location is None:
        return whole.make_of(url)
    try:
        parts = urlsplit(url)
    except ValueError:
        raise QueryError("the gateway's URL cannot be taken apart", hint=_EXAMPLES) from None
    kind = _KINDS.get(parts.scheme)
    if kind is None:
        # A URL whose scheme is missing begins with anything, a password included.
        named = f" {parts.scheme!r}" if parts.netloc or "://" in url else ""
        raise QueryError(f"no gateway has the scheme{named} of this URL", hint=f"known are: {_LISTED}; {_EXAMPLES}")
    return kind.make(parts)


_EXAMPLES: Final = "a URL is like 'sqlite:///blog.db' or 'postgresql://user:password@localhost/blog'"


@frozen
class _Kind:
    """
    A kind of gateway.

    Attributes:
        location: Makes the gateway's first argument of the URL and of the parameters that are not the gateway's; None
            where the gateway takes the URL apart by itself.
        extra: The extra of this distribution that installs its library.
    """

    module: str
    name: str
    location: Callable[[SplitResult, Mapping[str, str]], tuple[str, ...]] | None
    extra: str | None = None

    def make_of(self, url: str) -> "Gateway":
        """Make a gateway that takes the URL apart by itself."""
        return cast("Gateway", self._gateway()(url))

    def make(self, parts: SplitResult) -> "Gateway":
        """Make the gateway."""
        assert self.location is not None
        gateway = self._gateway()
        known = _parameters(gateway)
        passed_on = frozenset[str](getattr(gateway, "url_parameters", ()))
        given = _given(parts)
        unknown = sorted(given.keys() - known.keys() - passed_on)
        if unknown:
            listed = ", ".join(sorted(known.keys() | passed_on)) or "none"
            raise QueryError(
                f"the {parts.scheme} gateway has no parameter {unknown[0]!r}", hint=f"its parameters are: {listed}"
            )
        options = {name: _typed(name, text, known[name]) for name, text in given.items() if name in known}
        rest = {name: text for name, text in given.items() if name not in known}
        return cast("Gateway", gateway(*self.location(parts, rest), **options))

    def _gateway(self) -> Callable[..., Any]:
        try:
            module = importlib.import_module(self.module)
        except ModuleNotFoundError as error:
            if self.extra is None or (error.name or "").startswith("gateways"):
                raise
            raise CannotConnect(
                f"the {self.extra} gateway needs {error.name!r}, which is not installed",
                hint=f"pip install 'tbd-mapper[{self.extra}]'",
            ) from error
        found: Callable[..., Any] = getattr(module, self.name)
        return found


def _parameters(gateway: Callable[..., Any]) -> Mapping[str, Any]:
    """Give the types of the keywords that a gateway's class takes, as it annotates them."""
    signature = inspect.signature(gateway)
    return {
        name: parameter.annotation
        for name, parameter in signature.parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }


def _given(parts: SplitResult) -> dict[str, str]:
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    given = dict(pairs)
    if len(given) != len(pairs):
        twice = next(name for name, _ in pairs if sum(name == other for other, _ in pairs) > 1)
        raise QueryError(f"the URL gives the parameter {twice!r} twice", hint="give it once")
    return given


def _typed(name: str, text: str, annotation: Any) -> Any:
    """Give a parameter's value in its type; of several types, in the first that takes it."""
    words = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    kinds = [each.strip() for each in words.split("|")]
    if "None" in kinds and text.lower() in ("", "none"):
        return None
    for kind in kinds:
        try:
            return _READERS[kind](text) if kind in _READERS else text
        except ValueError:
            continue
    expected = " or ".join(_EXPECTED.get(each, each) for each in kinds if each != "None")
    raise QueryError(f"the parameter {name!r} of the URL is {text!r}, expected {expected}")


def _boolean(text: str) -> bool:
    found = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(text.lower())
    if found is None:
        raise ValueError(text)
    return found


_READERS: Final[Mapping[str, Callable[[str], Any]]] = {"bool": _boolean, "int": int, "float": float, "str": str}
_EXPECTED: Final = {"bool": "true or false", "int": "a whole number", "float": "a number"}


def _no_location(parts: SplitResult, rest: Mapping[str, str]) -> tuple[str, ...]:
    del rest
    if parts.netloc or parts.path.strip("/"):
        raise QueryError("the memory gateway has no address", hint="write 'memory://'")
    return ()


def _path(parts: SplitResult, rest: Mapping[str, str]) -> tuple[str, ...]:
    """Give the path behind the third slash, or that behind the second, which is what some write."""
    del rest
    path = unquote(parts.netloc + parts.path if parts.netloc else parts.path.removeprefix("/"))
    if parts.fragment:
        raise QueryError("the path of the sqlite URL has a bare '#'", hint="write '%23'")
    return (path or ":memory:",)


_POSTGRES: Final = _Kind("gateways.postgres", "PostgresGateway", None, "postgres")
_KINDS: Final = {
    "memory": _Kind("gateways.memory", "MemoryGateway", _no_location),
    "postgres": _POSTGRES,
    "postgresql": _POSTGRES,
    "sqlite": _Kind("gateways.sqlite", "SQLiteGateway", _path),
}
_LISTED: Final = ", ".join(_KINDS)
