-- Stands before every script that works on one source: names its keys and tells the time.
-- The order of the keys is that of `Names::of_source`.
local call = redis.call
local events, seen, repeats, deliveries, kills, waiting, done, dead, ignored, people, links,
  accounts, sources, needed, queue, live, bulk, leases, work = unpack(KEYS)

-- Milliseconds. Redis' own clock is the same for all processes; tests pass in theirs.
local now = tonumber(ARGV[1])
if not now then
  local time = call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

-- A time as 13 digits, so that text order is time order.
local function stamp(ms)
  return string.format('%013.0f', math.min(math.max(tonumber(ms), 0), 9999999999999))
end
