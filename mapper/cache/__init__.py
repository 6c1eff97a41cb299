"""
The cache between repositories and gateways: what is read once is served again while it is true.
"""

from mapper.cache.driver import CacheDriver, DriverInfo, DriverScope, TwoPhaseDriver

__all__ = ["CacheDriver", "DriverInfo", "DriverScope", "TwoPhaseDriver"]
