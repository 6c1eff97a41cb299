"""
PostgreSQL, through asyncpg: `PostgresGateway(url)`.

asyncpg comes with the extra `postgres`, and is imported when the first connection is opened.
"""

from gateways.postgres.gateway import PostgresGateway

__all__ = ["PostgresGateway"]
