"""
The driver of the cache for Redis and Valkey: `RedisDriver(url)`.

redis-py and hiredis come with the extra `redis`, and are imported when the first driver is made.
"""

from cache_drivers.redis.driver import RedisDriver

__all__ = ["RedisDriver"]
