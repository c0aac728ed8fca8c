-- Nobody gets calls from this budget for a while; never shortens a longer pause.
-- KEYS: the budget.   ARGV: now, ms
local paused = tonumber(call('HGET', KEYS[1], 'paused')) or 0
local wanted = now + ARGV[2]
if wanted > paused then call('HSET', KEYS[1], 'paused', string.format('%.0f', wanted)) end
return 1
