-- Lets go of settled deliveries, each only if it still is settled.
-- KEYS: done or ignored, deliveries, people.   ARGV: id, row of people (or ''), ...
local count = 0
for i = 1, #ARGV, 2 do
  if redis.call('ZREM', KEYS[1], ARGV[i]) == 1 then
    redis.call('HDEL', KEYS[2], ARGV[i])
    if ARGV[i + 1] ~= '' then redis.call('ZREM', KEYS[3], ARGV[i + 1]) end
    count = count + 1
  end
end
return count
