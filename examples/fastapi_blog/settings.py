"""Where the blog keeps its posts, and where its cache is: URLs from the environment go in."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

__all__ = ["Settings"]


@dataclass(frozen=True, slots=True)
class Settings:
    """
    Attributes:
        database_url: As `gateways.open` takes it.
        cache_url: As `cache_drivers.open` takes it.
        ttl: How long a page may be served from the cache. Whatever is committed shows at once, however long it is.
        lookup_timeout: Seconds that a read waits for the cache at the most. Behind them it asks the database.
        page_size: Posts on a page.
    """

    database_url: str = "sqlite:///blog.db"
    cache_url: str = "memory://"
    ttl: timedelta = timedelta(minutes=10)
    lookup_timeout: float = 0.05
    page_size: int = 10

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Return the settings of BLOG_DATABASE_URL and BLOG_CACHE_URL, and the usual ones where they are missing."""
        return cls(
            database_url=environment.get("BLOG_DATABASE_URL", cls().database_url),
            cache_url=environment.get("BLOG_CACHE_URL", cls().cache_url),
        )
