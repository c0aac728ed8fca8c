-- Closes dead letters, each only if it still is as it was read.
-- KEYS: deliveries, dead, done or ignored, seen, needed
-- ARGV: for each: id, JSON as read, JSON as it shall be, received (ms), event
-- Answers how many were closed.
local call = redis.call
local deliveries, dead, settled, seen, needed = unpack(KEYS)
local parked, count = call('EXISTS', needed) == 1, 0
for i = 1, #ARGV, 5 do
  local id = ARGV[i]
  if call('HGET', deliveries, id) == ARGV[i + 1] and call('ZREM', dead, id) == 1 then
    call('HSET', deliveries, id, ARGV[i + 2])
    call('ZADD', settled, ARGV[i + 3], id)
    local since = parked and call('HGET', needed, ARGV[i + 4])
    if since then -- the next trim looks at the event again
      call('LPUSH', seen, since .. ARGV[i + 4])
      call('HDEL', needed, ARGV[i + 4])
    end
    count = count + 1
  end
end
return count
