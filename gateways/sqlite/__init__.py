"""SQLite: files and databases in memory, on asyncio."""

from gateways.sqlite.gateway import SQLiteGateway

__all__ = ["SQLiteGateway"]
