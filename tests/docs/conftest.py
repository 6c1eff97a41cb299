"""The server that some pages run on."""

from tests.servers.fixtures import databases, redis_url

__all__ = ["databases", "redis_url"]
