"""
The cache between repositories and gateways: what is read once is served again while it is true.
"""

from mapper.cache.cache import Cache
from mapper.cache.driver import (
    FLUX,
    STAMP,
    Broadcasting,
    CacheDriver,
    DriverInfo,
    DriverScope,
    Prompt,
    Reconnecting,
    TwoPhaseDriver,
)
from mapper.cache.events import CacheEvent, CacheListener, CacheStatistics, logged
from mapper.cache.gateway import CachedGateway
from mapper.cache.readthrough import ReadThrough
from mapper.caching import CacheMode, CachePolicy, Duration, FailureMode, InvalidationMode

__all__ = [
    "FLUX",
    "STAMP",
    "Broadcasting",
    "Cache",
    "CacheDriver",
    "CacheEvent",
    "CacheListener",
    "CacheMode",
    "CachePolicy",
    "CacheStatistics",
    "CachedGateway",
    "DriverInfo",
    "DriverScope",
    "Duration",
    "FailureMode",
    "InvalidationMode",
    "Prompt",
    "ReadThrough",
    "Reconnecting",
    "TwoPhaseDriver",
    "logged",
]
