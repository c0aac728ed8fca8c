-- Takes events in. Answers for each the id of the delivery that carries it: the one offered when it
-- is new.
-- KEYS: as named below; ready is live or bulk
-- ARGV: now, then for each: event, "<delivery>\0<meta>\0<raw>", delivery, its JSON,
--       received (13 digits), row of people, employee, lane ('' when there is nothing to do),
--       due (ms from now)
local events, seen, repeats, deliveries, waiting, dead, ignored, people, queue, ready, leases =
  unpack(KEYS)

local function take(event, body, delivery, json, received, row, employee, lane, due)
  if call('HSETNX', events, event, body) == 1 then
    call('RPUSH', seen, received .. event)
  else
    local before = call('HGET', events, event)
    local split = string.find(before, '\0', 1, true)
    local carriers = string.sub(before, 1, split - 1)
    local last = string.match(carriers, '[^,]+$')
    if last == delivery then return last end -- the same call again: its answer was lost
    call('HINCRBY', repeats, event, 1)
    if not call('ZSCORE', dead, last) then return last end
    call('HSET', events, event, carriers .. ',' .. delivery .. string.sub(before, split))
  end

  call('HSET', deliveries, delivery, json)
  if row ~= '' then call('ZADD', people, '0', row) end
  if lane == '' then
    call('ZADD', ignored, received, delivery)
    return delivery
  end
  call('ZADD', waiting, received, delivery)
  local at = stamp(now + due)
  call('ZADD', queue, '0', employee .. '\0' .. lane .. at .. delivery)
  -- Whoever holds the person lines them up again at the end.
  if not call('ZSCORE', leases, employee) then
    call('ZADD', ready, 'LT', at, employee)
  end
  return delivery
end

local answer = {}
for i = 2, #ARGV, 9 do answer[#answer + 1] = take(unpack(ARGV, i, i + 8)) end
return answer
