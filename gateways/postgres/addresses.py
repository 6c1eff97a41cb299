"""
Addresses and networks: `Inet()` and `Cidr()`.

Values of the module `ipaddress` go in and come out, of exactly the classes that the column is annotated with.
"""

from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_address,
    ip_interface,
    ip_network,
)
from typing import Any, Final

import attrs

from gateways.postgres.types import Naming, PostgresType
from mapper.types import Codecs, Decoder, Misfit, StorageType, UnknownType

__all__ = ["Cidr", "Inet", "address_type"]

_ADDRESSES: Final = (IPv4Address, IPv6Address)
_INTERFACES: Final = (IPv4Interface, IPv6Interface)
_NETWORKS: Final = (IPv4Network, IPv6Network)


@attrs.frozen
class Inet(PostgresType[Any]):
    """
    `inet`: a host's address (`IPv4Address`, `IPv6Address`), or an address with its network (`IPv4Interface`,
    `IPv6Interface`). The column's annotation says which of them there are.

    Attributes:
        classes: The classes of its values; all of them until the column's annotation says which.
    """

    classes: tuple[type[Any], ...] = attrs.field(default=(*_ADDRESSES, *_INTERFACES), kw_only=True)

    @property
    def python(self) -> type[Any]:
        return self.classes[0] if len(self.classes) == 1 else object

    def completed(self, members: tuple[Any, ...]) -> StorageType[Any] | None:
        _require_classes("Inet()", members, (*_ADDRESSES, *_INTERFACES))
        return Inet(classes=members)

    def check(self, value: object) -> Any:
        if type(value) not in self.classes:
            raise Misfit(value, _either(self.classes), hint=_parsed(value, "ip_address", "ip_interface"))
        if getattr(value, "scope_id", None):
            raise Misfit(value, "an address without a zone", hint="PostgreSQL keeps the address alone")
        if isinstance(value, _INTERFACES) and self._is_read_as_address(value):
            raise Misfit(value, "an address, or one with a network of several hosts", hint="pass its address: value.ip")
        return value

    def _is_read_as_address(self, value: IPv4Interface | IPv6Interface) -> bool:
        whole = value.network.prefixlen == value.max_prefixlen
        return whole and type(value.ip) in self.classes

    def parameter_type(self, named: Naming) -> str:
        del named
        return "inet"

    def decoder(self, codecs: Codecs) -> Decoder:
        del codecs
        classes, expected = self.classes, _either(self.classes)
        interfaces = {IPv4Address: IPv4Interface, IPv6Address: IPv6Interface}

        def decode(value: Any) -> Any:
            found = type(value)
            if found in classes:
                return value
            wider = interfaces.get(found)
            if wider in classes:
                return wider(value)
            raise Misfit(value, expected)

        return decode

    def portable(self, value: Any) -> str:
        return str(value)

    def restored(self, value: Any) -> Any:
        return self.check(ip_interface(value) if "/" in value else ip_address(value))

    def _key(self) -> str:
        return f"pg:inet{_names(self.classes)}"


@attrs.frozen
class Cidr(PostgresType[Any]):
    """
    `cidr`: a network, `IPv4Network` or `IPv6Network`.

    Attributes:
        classes: The classes of its values; both until the column's annotation says which.
    """

    classes: tuple[type[Any], ...] = attrs.field(default=_NETWORKS, kw_only=True)

    @property
    def python(self) -> type[Any]:
        return self.classes[0] if len(self.classes) == 1 else object

    def completed(self, members: tuple[Any, ...]) -> StorageType[Any] | None:
        _require_classes("Cidr()", members, _NETWORKS)
        return Cidr(classes=members)

    def check(self, value: object) -> Any:
        if type(value) not in self.classes:
            raise Misfit(value, _either(self.classes), hint=_parsed(value, "ip_network"))
        return value

    def parameter_type(self, named: Naming) -> str:
        del named
        return "cidr"

    def decoder(self, codecs: Codecs) -> Decoder:
        del codecs
        return self.check

    def portable(self, value: Any) -> str:
        return str(value)

    def restored(self, value: Any) -> Any:
        return self.check(ip_network(value))

    def _key(self) -> str:
        return f"pg:cidr{_names(self.classes)}"


def address_type(value: object) -> Inet | Cidr:
    """Return the storage type of a single address or network."""
    if isinstance(value, _NETWORKS):
        return Cidr()
    return Inet()


def _require_classes(name: str, members: tuple[Any, ...], known: tuple[type[Any], ...]) -> None:
    if not members or not all(each in known for each in members):
        raise UnknownType(
            f"{name} keeps {_either(known)}", hint=f"annotate the column with those that it has: {known[0].__name__}"
        )


def _either(classes: Sequence[type[Any]]) -> str:
    return " or ".join([each.__name__ for each in classes])


def _names(classes: Sequence[type[Any]]) -> str:
    return f"({','.join([each.__name__ for each in classes])})"


def _parsed(value: object, *functions: str) -> str | None:
    return f"parse it: ipaddress.{' or '.join(functions)}(value)" if isinstance(value, str) else None
