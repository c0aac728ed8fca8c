-- Nobody gets calls from this budget for a while; never shortens a longer pause.
-- KEYS: the budget.   ARGV: now or '', ms
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local paused = tonumber(redis.call('HGET', KEYS[1], 'paused')) or 0
local wanted = now + ARGV[2]
if wanted > paused then redis.call('HSET', KEYS[1], 'paused', string.format('%.0f', wanted)) end
return 1
