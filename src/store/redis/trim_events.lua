-- Lets go of events received before a time. One that a waiting or dead delivery still needs is put
-- behind the others and looked at again in a later call, so that it never blocks them.
-- KEYS: seen, events, repeats, waiting, dead.   ARGV: before (ms), most
local count = 0
for _, event in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[1], 'LIMIT', 0, ARGV[2])) do
  local body = redis.call('HGET', KEYS[2], event)
  local needed = false
  if body then
    local carriers = string.sub(body, 1, string.find(body, '\0', 1, true) - 1)
    for id in string.gmatch(carriers, '[^,]+') do
      needed = needed or redis.call('ZSCORE', KEYS[4], id) or redis.call('ZSCORE', KEYS[5], id)
    end
  end
  if needed then
    redis.call('ZADD', KEYS[1], ARGV[1] - 1, event)
  else
    redis.call('ZREM', KEYS[1], event)
    redis.call('HDEL', KEYS[2], event)
    redis.call('HDEL', KEYS[3], event)
    count = count + 1
  end
end
return count
