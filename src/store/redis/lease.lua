-- Leases persons; takes back leases that ran out first.
-- ARGV: now, this call's token, lasting (ms), persons, how many of them are for bulk work,
--       most deliveries of one person, most in all, source, the lane for which nobody is picked,
--       tokens of earlier calls whose answer never came...
-- Answers a list of {employee, token, link, choice, {{delivery...}, {its JSON...}, {kills...}}}.
local token, lasting, persons, share = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local most, room, source = tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]
call('SADD', sources, source)

-- Nobody knows of these leases: no worker died, so no kill is counted.
if ARGV[10] then
  local lost = {}
  for i = 10, #ARGV do lost[ARGV[i]] = true end
  local held = call('HGETALL', work)
  for i = 1, #held, 2 do
    if lost[string.match(held[i + 1], '^[^.]*')] then let_go(held[i]) end
  end
end

for _, employee in ipairs(call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, persons + 100)) do
  take_back(employee)
end

-- Live before bulk, but some places are for bulk work.
local picked, listed = {}, {}
local function pick(employee)
  if #picked < persons and not listed[employee] then
    listed[employee] = true
    picked[#picked + 1] = employee
  end
end
local function due(ready, lane)
  if ARGV[9] == lane then return {} end
  return call('ZRANGEBYSCORE', ready, '-inf', now, 'LIMIT', 0, persons)
end
local first, second = due(live, 'live'), due(bulk, 'bulk')
share = math.min(#second, share)
for i = 1, math.min(#first, persons - share) do pick(first[i]) end
for i = 1, share do pick(second[i]) end
for _, employee in ipairs(first) do pick(employee) end
for _, employee in ipairs(second) do pick(employee) end

local answer, till, latest = {}, stamp(now + lasting), stamp(now + 1)
local counted, chosen = call('EXISTS', kills) == 1, call('EXISTS', choices) == 1
for _, employee in ipairs(picked) do
  if room <= 0 then break end -- who is left over stays where they are
  local tickets, ids = {}, {}
  for lane = 0, 1 do
    if most > #ids then
      local rows = call('ZRANGEBYLEX', queue, '[' .. employee .. '\0' .. lane,
        '(' .. employee .. '\0' .. lane .. latest, 'LIMIT', 0, most - #ids)
      for _, row in ipairs(rows) do
        local ticket = string.sub(row, #employee + 2)
        tickets[#tickets + 1] = ticket
        ids[#ids + 1] = delivery_of(ticket)
      end
    end
  end
  local jsons = #ids > 0 and call('HMGET', deliveries, unpack(ids)) or {}
  for i = #ids, 1, -1 do
    if not jsons[i] then -- somebody deleted the record: nothing to work on
      call('ZREM', queue, employee .. '\0' .. tickets[i])
      call('ZREM', waiting, ids[i])
      table.remove(jsons, i)
      table.remove(tickets, i)
      table.remove(ids, i)
    end
  end
  if #ids == 0 then
    line_up(employee)
  else
    room = room - #ids
    call('ZREM', live, employee)
    call('ZREM', bulk, employee)
    call('ZADD', leases, till, employee)
    local own = token .. '.' .. #answer
    call('HSET', work, employee, own .. '\n' .. table.concat(tickets, '\n'))
    local person = source .. '\0' .. employee
    answer[#answer + 1] = {
      employee,
      own,
      call('HGET', links, person),
      chosen and call('HGET', choices, person),
      { ids, jsons, counted and call('HMGET', kills, unpack(ids)) or {} },
    }
  end
end
return answer
