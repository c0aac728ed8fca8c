-- Makes deliveries wait again, each only if it still is as it was read.
-- ARGV: now, then for each: id, JSON as read, JSON as it shall be, state as read, employee, lane,
--       due (ms from now), received (ms)
-- Answers a 1 or 0 for each.
local answer = {}
local settled = { done = done, dead = dead, ignored = ignored }
for i = 2, #ARGV, 8 do
  local id, employee, lane = ARGV[i], ARGV[i + 4], ARGV[i + 5]
  if call('HGET', deliveries, id) == ARGV[i + 1] then
    local due = stamp(now + ARGV[i + 6])
    call('HSET', deliveries, id, ARGV[i + 2])
    call('HDEL', kills, id)
    call('ZREM', settled[ARGV[i + 3]], id)
    call('ZADD', waiting, ARGV[i + 7], id)
    call('ZADD', queue, '0', employee .. '\0' .. lane .. due .. id)
    if not call('ZSCORE', leases, employee) then
      call('ZADD', lane == '0' and live or bulk, 'LT', due, employee)
    end
    answer[#answer + 1] = 1
  else
    answer[#answer + 1] = 0
  end
end
return answer
