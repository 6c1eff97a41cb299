"""
What only PostgreSQL has, and where it is asked for: a repository, a transaction of one, or a gateway.

One of these goes in; what runs operations comes out, or the gateway that has the connections, wherever it is wrapped in.
"""

from typing import Any

from gateways.postgres.gateway import PostgresGateway
from mapper.errors import Unsupported
from mapper.gateway import Executor, Gateway
from mapper.stores import Stores, executor_of

__all__ = ["Source", "gateway_of", "is_transaction", "postgres_executor"]

Source = Gateway | Stores[Any]
"""A repository, a transaction of one, or a gateway."""


def gateway_of(source: Source, what: str) -> PostgresGateway:
    """
    Return the gateway that has the connections.

    Raises:
        Unsupported: It is of another store; `what` is the name of what was asked for.
    """
    gateway = executor_of(source).gateway
    innermost = gateway.innermost
    if not isinstance(innermost, PostgresGateway):
        raise Unsupported(what, gateway.name)
    return innermost


def postgres_executor(source: Source, what: str) -> Executor:
    """Return what runs operations on PostgreSQL; errors as of `gateway_of`."""
    gateway_of(source, what)
    return executor_of(source)


def is_transaction(executor: Executor) -> bool:
    """Whether what runs operations is a transaction: a gateway is its own gateway."""
    return executor.gateway is not executor
