-- Takes an event in. Answers the id of the delivery that carries it: the one offered when it is new.
-- KEYS: as named below; ready is live or bulk
-- ARGV: now, event, "<delivery>\0<meta>\0<raw>", delivery, its JSON, received (13 digits),
--       row of people, employee, lane ('' when there is nothing to do), due (ms from now)
local events, seen, repeats, deliveries, waiting, dead, ignored, people, queue, ready, leases =
  unpack(KEYS)
local event, body, delivery = ARGV[2], ARGV[3], ARGV[4]
local received, row, employee, lane = ARGV[6], ARGV[7], ARGV[8], ARGV[9]

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

call('HSET', deliveries, delivery, ARGV[5])
if row ~= '' then call('ZADD', people, '0', row) end
if lane == '' then
  call('ZADD', ignored, received, delivery)
  return delivery
end
call('ZADD', waiting, received, delivery)
local due = stamp(now + ARGV[10])
call('ZADD', queue, '0', employee .. '\0' .. lane .. due .. delivery)
-- Whoever holds the person lines them up again at the end.
if not call('ZSCORE', leases, employee) then
  call('ZADD', ready, 'LT', due, employee)
end
return delivery
