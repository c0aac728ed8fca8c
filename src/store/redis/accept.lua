-- Takes events in. Answers for each the id of the delivery that carries it: the one offered when it
-- is new. Whatever their number, each key is written once: a command costs more than a row.
-- KEYS: as named below; ready is live or bulk
-- ARGV: now, then for each: event, "<delivery>\0<meta>\0<raw>", delivery, its JSON,
--       received (13 digits), row of people, employee, lane ('' when there is nothing to do),
--       due (ms from now), person ('' when nothing is kept of what it said)
-- One about somebody who was forgotten is not taken: the answer is ''.
local events, seen, repeats, deliveries, waiting, dead, ignored, people, queue, ready, leases,
  forgotten = unpack(KEYS)
local some_forgotten = call('EXISTS', forgotten) == 1

-- The body of each event as it is now: in Redis, or about to be.
local bodies, ids = {}, {}
for i = 2, #ARGV, 10 do ids[#ids + 1] = ARGV[i] end
for i, body in ipairs(call('HMGET', events, unpack(ids))) do bodies[ids[i]] = body end

local new_events, new_seen, new_deliveries, new_people = {}, {}, {}, {}
local new_ignored, new_waiting, new_queue, employees, due_at = {}, {}, {}, {}, {}

-- Takes one in, except for what is written at the end.
local function take(event, body, delivery, json, received, row, employee, lane, due, person)
  if some_forgotten and person ~= '' and call('HEXISTS', forgotten, person) == 1 then return '' end
  local before = bodies[event]
  if not before then
    bodies[event] = body
    new_events[#new_events + 1] = event
    new_events[#new_events + 1] = body
    new_seen[#new_seen + 1] = received .. event
  else
    local split = string.find(before, '\0', 1, true)
    local carriers = string.sub(before, 1, split - 1)
    local last = string.match(carriers, '[^,]+$')
    if last == delivery then return last end -- the same call again: its answer was lost
    call('HINCRBY', repeats, event, 1)
    if not call('ZSCORE', dead, last) then return last end
    bodies[event] = carriers .. ',' .. delivery .. string.sub(before, split)
    call('HSET', events, event, bodies[event])
  end

  new_deliveries[#new_deliveries + 1] = delivery
  new_deliveries[#new_deliveries + 1] = json
  if row ~= '' then
    new_people[#new_people + 1] = '0'
    new_people[#new_people + 1] = row
  end
  local index = lane == '' and new_ignored or new_waiting
  index[#index + 1] = received
  index[#index + 1] = delivery
  if lane ~= '' then
    local at = stamp(now + due)
    new_queue[#new_queue + 1] = '0'
    new_queue[#new_queue + 1] = employee .. '\0' .. lane .. at .. delivery
    employees[#employees + 1] = employee
    due_at[#due_at + 1] = at
  end
  return delivery
end

local answer = {}
for i = 2, #ARGV, 10 do answer[#answer + 1] = take(unpack(ARGV, i, i + 9)) end

local function write(command, key, rows)
  if #rows > 0 then call(command, key, unpack(rows)) end
end
write('HSET', events, new_events)
write('RPUSH', seen, new_seen)
write('HSET', deliveries, new_deliveries)
write('ZADD', people, new_people)
write('ZADD', ignored, new_ignored)
write('ZADD', waiting, new_waiting)
write('ZADD', queue, new_queue)
if #employees > 0 then
  -- Whoever holds a person lines them up again at the end.
  local now_ready = { 'LT' }
  for i, leased in ipairs(call('ZMSCORE', leases, unpack(employees))) do
    if not leased then
      now_ready[#now_ready + 1] = due_at[i]
      now_ready[#now_ready + 1] = employees[i]
    end
  end
  if #now_ready > 1 then call('ZADD', ready, unpack(now_ready)) end
end
return answer
