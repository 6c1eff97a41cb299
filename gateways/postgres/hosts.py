"""
The hosts of a gateway: which are tried, in which order, and what is told when none takes a connection.

Settings go in; a connection of the driver comes out, or the error of every host.
"""

import asyncio
import os
import random
from collections.abc import Iterable, Mapping
from time import monotonic
from typing import Any, Final

from gateways.postgres.driver import connect
from gateways.postgres.errors import PASSING_STATES, cannot_connect, is_of_connecting
from gateways.postgres.settings import Settings
from gateways.postgres.tls import Tls
from gateways.postgres.urls import Address
from mapper.errors import CannotConnect

__all__ = ["Hosts"]

AVOIDED_SECONDS: Final = 10.0
"""How long a host that did not take a connection is tried after the others."""

PASSING_SECONDS: Final = 1.0
"""
How long it is tried again where the server says that it is starting, or has too many connections: those of ours that
were closed a moment ago may be among them.
"""

PAUSE_SECONDS: Final = 0.05


class Hosts:
    """Where the connections of a gateway come from. It keeps in mind which hosts were of no use lately."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._tls = Tls(settings)
        self._failed: dict[Address, float] = {}

    async def connect(self) -> Any:
        """
        Open a connection to the first host that takes it and is of the kind asked for.

        Raises:
            CannotConnect: None is, each within `connect_timeout`.
        """
        until = monotonic() + min(PASSING_SECONDS, self._settings.connect_timeout)
        while True:
            try:
                return await self._one_of_all()
            except CannotConnect as error:
                if not error.retryable or monotonic() >= until:
                    raise
            await asyncio.sleep(PAUSE_SECONDS)

    async def _one_of_all(self) -> Any:
        """Try the hosts one after the other."""
        errors: dict[Address | None, Exception] = {}
        for address, target in self._attempts():
            if address not in errors or _is_of_another_kind(errors[address]):
                try:
                    return await self._open(address, target)
                except Exception as error:
                    if not is_of_connecting(error):
                        raise
                    errors[address] = error
                    if not _may_differ_elsewhere(error):
                        break
        try:
            raise self._told(errors) from next(reversed(errors.values()))
        finally:
            errors.clear()  # they know this frame

    def _attempts(self) -> Iterable[tuple[Address | None, str | None]]:
        addresses: list[Address | None] = [*self._ordered()] or [None]
        target = self._settings.target_session_attrs or os.environ.get("PGTARGETSESSIONATTRS")
        if target != "prefer-standby" or len(addresses) == 1:
            return [(each, target) for each in addresses]
        return [*[(each, "standby") for each in addresses], *[(each, "any") for each in addresses]]

    def _ordered(self) -> list[Address]:
        """Give the hosts in the order of preference, those that failed lately last."""
        addresses = [*self._settings.addresses]
        if self._settings.load_balance_hosts == "random":
            random.shuffle(addresses)
        since = monotonic() - AVOIDED_SECONDS
        return sorted(addresses, key=lambda each: self._failed.get(each, since) > since)

    async def _open(self, address: Address | None, target: str | None) -> Any:
        try:
            driver = await connect({**self._settings.arguments(address, target), **self._tls.arguments()})
        except Exception:
            if address is not None:
                self._failed[address] = monotonic()
            raise
        if address is not None:
            self._failed.pop(address, None)
        return driver

    def _told(self, errors: Mapping[Address | None, Exception]) -> CannotConnect:
        """Give one error of all hosts."""
        told = [cannot_connect(each) for each in errors.values()]
        if len(told) == 1:
            reasons = told[0].message
        else:
            reasons = "; ".join([f"{address}: {each.message}" for address, each in zip(errors, told, strict=True)])
        return CannotConnect(
            f"cannot connect to {self._settings.shown}: {reasons}",
            hint=told[-1].hint,
            retryable=any(each.retryable for each in told),
        )


def _is_of_another_kind(error: Exception) -> bool:
    """Whether the host took the connection, but is a standby where a primary is asked for, say."""
    return type(error).__name__ == "TargetServerAttributeNotMatched"


def _may_differ_elsewhere(error: Exception) -> bool:
    """Whether another host may do what this one did not. A password that it refused is refused by all."""
    state = getattr(error, "sqlstate", None)
    if state is not None:
        return state in PASSING_STATES or state.startswith("08")
    return isinstance(error, OSError | TimeoutError) or _is_of_another_kind(error)
