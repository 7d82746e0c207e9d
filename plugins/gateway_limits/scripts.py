"""The scripts that a server runs: each as a whole, between those of everybody else."""

from typing import Final

TAKE: Final = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local holder, lease, taken = ARGV[1], tonumber(ARGV[2]), table.remove(KEYS)
if redis.call('GET', taken) == 'no' then return {} end
local left, refused = {}, 0
for i, key in ipairs(KEYS) do
  local kind, limit, need = ARGV[3 * i], tonumber(ARGV[3 * i + 1]), tonumber(ARGV[3 * i + 2])
  if kind == 'concurrent' then
    redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
    left[i] = limit - redis.call('ZCARD', key)
  else
    local was = redis.call('HMGET', key, 'left', 'at')
    left[i] = limit
    if was[1] then left[i] = math.min(limit, was[1] + (now - was[2]) * limit / 60) end
  end
  if refused == 0 and left[i] < need - 0.000001 then refused = i end
end
if refused == 0 then
  for i, key in ipairs(KEYS) do
    local kind, limit, need = ARGV[3 * i], tonumber(ARGV[3 * i + 1]), tonumber(ARGV[3 * i + 2])
    left[i] = left[i] - need
    if kind == 'concurrent' then
      redis.call('ZADD', key, now + lease, holder)
      redis.call('PEXPIRE', key, math.ceil((lease + 1) * 1000))
    else
      redis.call('HSET', key, 'left', string.format('%.9f', left[i]), 'at', string.format('%.6f', now))
      redis.call('PEXPIRE', key, math.ceil((limit - left[i]) * 60000 / limit) + 1000)
    end
  end
  redis.call('SET', taken, 'yes', 'EX', math.ceil(lease))
end
local told = {tostring(refused)}
for i, one in ipairs(left) do told[i + 1] = string.format('%.9f', one) end
return told
"""
"""Keys: limits, whether the holder has taken. Arguments: holder, lease; of each limit its kind, its amount, what is
needed. A rate that is not there is full. Answer: which limit refused (0: none, all is taken), and what is left of each;
nothing for a holder that has given back already."""

_RETURN: Final = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
for i, key in ipairs(KEYS) do
  local kind, limit, back = ARGV[3 * i], tonumber(ARGV[3 * i + 1]), tonumber(ARGV[3 * i + 2])
  if kind == 'concurrent' then
    redis.call('ZREM', key, ARGV[1])
  elseif back ~= 0 then
    local was = redis.call('HMGET', key, 'left', 'at')
    local left = limit
    if was[1] then left = math.min(limit, was[1] + (now - was[2]) * limit / 60) end
    left = math.min(limit, left + back)
    redis.call('HSET', key, 'left', string.format('%.9f', left), 'at', string.format('%.6f', now))
    redis.call('PEXPIRE', key, math.ceil((limit - left) * 60000 / limit) + 1000)
  end
end
"""
SETTLE: Final = f"""
redis.call('DEL', table.remove(KEYS))
{_RETURN}
"""
"""Keys: as of `TAKE`. Arguments: holder, lease; of each limit its kind, its amount, what comes back (below zero: what
is owed)."""

GIVE_BACK: Final = f"""
local key = table.remove(KEYS)
local taken = redis.call('GET', key)
redis.call('SET', key, 'no', 'EX', math.ceil(ARGV[2]))
if taken ~= 'yes' then return end
{_RETURN}
"""
"""`SETTLE` of a holder that may have taken, or may do so yet: harmless where it has not, where it has given back
already, and before it takes; then it does not."""
