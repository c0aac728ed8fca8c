-- Stands before every script that asks for the time. ARGV[1]: now, or '' for Redis' own clock, which
-- is the same for all processes; tests pass in theirs. Milliseconds.
local call = redis.call
local now = tonumber(ARGV[1])
if not now then
  local time = call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

-- A time as 13 digits, so that text order is time order. (Also as a score: Redis is several times
-- slower in writing a number of Lua than in reading this.)
local function stamp(ms)
  return string.format('%013d', math.min(math.max(ms, 0), 9999999999999))
end
