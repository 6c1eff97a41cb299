"""The stores that are compared, for the tests here."""

from tests.alike.stores import stores
from tests.servers.fixtures import databases

__all__ = ["databases", "stores"]
