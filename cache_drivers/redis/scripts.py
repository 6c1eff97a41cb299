"""
The scripts of the driver: what the server runs at once for tags, and for `add` where it is too old for `SET NX GET`.

A tag that writers are about to change is a string, so that MGET reads it: `f`, and for each writer the end of its time
(milliseconds of the server's clock, a double), the length of its token (two bytes) and the token, big-endian. A tag at
rest is `s` and its stamp. The key lives as long as the longest of its writers may, so that it is absent when all are dead.

Each script first removes the key. That frees whatever of another type is there; and a server that has no memory left
refuses the first writing command of a script if that needs memory, but lets a script that has begun to write end. So
tags can be changed on a server that is full.
"""

import hashlib
from typing import Final

from attrs import Factory, field, frozen

from cache_drivers.redis.wire import Argument, packed

__all__ = ["ADD", "BEGIN", "END", "Script"]


def _digest(script: "Script") -> str:
    return hashlib.sha1(script.source.encode(), usedforsecurity=False).hexdigest()


@frozen
class Script:
    """A script of Lua, and the digest by which the server knows it once it has run."""

    source: str
    digest: str = field(init=False, default=Factory(_digest, takes_self=True))

    def by_digest(self, keys: tuple[str, ...], *arguments: Argument) -> bytes:
        """Return the command that runs it where the server knows it."""
        return packed("EVALSHA", self.digest, len(keys), *keys, *arguments)

    def by_source(self, keys: tuple[str, ...], *arguments: Argument) -> bytes:
        """Return the command that runs it, and after which the server knows it."""
        return packed("EVAL", self.source, len(keys), *keys, *arguments)


_TOKENS: Final = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function others(key, own)
  local value = redis.pcall('GET', key)
  local kept, last = {}, 0
  if type(value) == 'string' and value:sub(1, 1) == 'f' then
    local at = 2
    while at + 10 <= #value + 1 do
      local deadline, size = struct.unpack('>dH', value, at)
      local token = value:sub(at + 10, at + 9 + size)
      if #token < size then break end
      if token ~= own and deadline > now then
        kept[#kept + 1] = value:sub(at, at + 9 + size)
        last = math.max(last, deadline)
      end
      at = at + 10 + size
    end
  end
  return kept, last
end

local function put(key, value, milliseconds)
  redis.call('SET', key, value, 'PX', string.format('%.0f', milliseconds))
end
"""

BEGIN: Final = Script(
    _TOKENS
    + """
local token, deadline = ARGV[1], now + tonumber(ARGV[2])
for _, key in ipairs(KEYS) do
  local kept, last = others(key, token)
  kept[#kept + 1] = struct.pack('>dH', deadline, #token) .. token
  redis.call('DEL', key)
  put(key, 'f' .. table.concat(kept), math.max(last, deadline) - now)
end
return #KEYS
"""
)
"""Put a token into each tag. Keys: tags. Arguments: the token, and for how many milliseconds it counts."""

END: Final = Script(
    _TOKENS
    + """
for number, key in ipairs(KEYS) do
  local kept, last = others(key, ARGV[1])
  redis.call('DEL', key)
  if #kept > 0 then
    put(key, 'f' .. table.concat(kept), last - now)
  else
    put(key, 's' .. ARGV[number + 2], tonumber(ARGV[2]))
  end
end
return #KEYS
"""
)
"""
Take a token out of each tag. Keys: tags. Arguments: the token, the milliseconds that a stamp lives, and a stamp for each
tag, which it is given where no token is left.
"""

ADD: Final = Script(
    """
local there = redis.pcall('GET', KEYS[1])
if type(there) == 'string' then return there end
if there then redis.call('DEL', KEYS[1]) end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return false
"""
)
"""Keep a value where there is none, or one that is no string. Key, value, milliseconds; returns what is there."""
