-- Ends a lease and writes what came of it, or nothing at all.
-- ARGV: now, token, employee, person, 'link' or '', account, link JSON, row of awaiting or '',
--       appointment (ms) or '',
--       then for each delivery: id, JSON, state, lane, due (ms from now), received (ms), event
-- Answers {'done'}, {'lost'} or {'taken', owner}.
local token, employee, person = ARGV[2], ARGV[3], ARGV[4]
local record = call('HGET', work, employee)
if not record or token_of(record) ~= token then return { 'lost' } end
if ARGV[5] ~= '' then
  local owner = tie(person, ARGV[6], ARGV[7], ARGV[8], ARGV[9])
  if owner then return { 'taken', owner } end
end

local held = {}
for ticket in tickets_of(record) do held[delivery_of(ticket)] = ticket end
local settled = { done = done, dead = dead, ignored = ignored }
local parked = call('EXISTS', needed) == 1
for i = 10, #ARGV, 7 do
  local id = ARGV[i]
  local ticket = held[id]
  if ticket then -- what was not leased is not ours to write
    local state = ARGV[i + 2]
    call('HSET', deliveries, id, ARGV[i + 1])
    call('ZREM', queue, employee .. '\0' .. ticket)
    if state == 'waiting' then
      call('ZADD', queue, '0', employee .. '\0' .. ARGV[i + 3] .. stamp(now + ARGV[i + 4]) .. id)
    else
      call('ZREM', waiting, id)
      call('ZADD', settled[state], ARGV[i + 5], id)
      call('HDEL', kills, id)
      local since = parked and call('HGET', needed, ARGV[i + 6])
      if since then -- the next trim looks at the event again
        call('LPUSH', seen, since .. ARGV[i + 6])
        call('HDEL', needed, ARGV[i + 6])
      end
    end
  end
end
let_go(employee)
return { 'done' }
