"""
Drivers of the cache: bytes in, bytes out.

A driver knows no policy, no key format and no model: those are in `mapper.cache`. Each module here holds one driver.
"""
