"""
The cache in front of what is no gateway: `ReadThrough` over SQLAlchemy, over asyncpg, and over a service by HTTP.

    python -m examples.read_through                 SQLAlchemy on SQLite in memory

Each module has a class of the same form: `get`, `get_many`, `put`, `remove`. Reads go through the cache. A write is done
within `changing(key)`, so that nobody is served the old value once it has returned, in any process that shares the
cache, and not even where this process dies behind the store's commit.
"""
