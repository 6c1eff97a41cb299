"""The server that some pages run on."""

from tests.servers.fixtures import databases

__all__ = ["databases"]
