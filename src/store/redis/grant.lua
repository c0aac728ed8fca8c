-- Takes calls from a budget: a leaky bucket that remembers when it will be empty again.
-- KEYS: the budget (hash: full = when all calls are there again, paused = until when nobody gets any)
-- ARGV: now, ms between two calls in steady flow, burst, want
-- Answers {calls, 0} or {0, ms to wait}.
local gap, burst, want = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local kept = call('HMGET', KEYS[1], 'full', 'paused')
local paused = tonumber(kept[2]) or 0
if paused > now then return { 0, math.ceil(paused - now) } end
-- Never later than an emptied bucket allows: another rate, or a clock set back, cannot block it.
local full = math.min(math.max(tonumber(kept[1]) or now, now), now + burst * gap)
-- A microsecond is forgiven: what was cut off in decimals must not cost a whole call.
local calls = math.min(want, math.floor((now + 0.001 - full) / gap + burst))
if calls < 1 then return { 0, math.max(1, math.ceil(full + gap - burst * gap - now)) } end
call('HSET', KEYS[1], 'full', string.format('%.3f', full + calls * gap))
return { calls, 0 }
