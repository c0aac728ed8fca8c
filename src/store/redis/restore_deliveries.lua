-- Takes in deliveries of another store.
-- KEYS: those of keys.lua, people
-- ARGV: now, then for each: id, JSON, state, employee or '', lane, due (ms from now), received (ms),
--       row of people or '', kills
local people, indexes = KEYS[21], { waiting = waiting, done = done, dead = dead, ignored = ignored }
for i = 2, #ARGV, 9 do
  local id, state, employee, lane = ARGV[i], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  call('HSET', deliveries, id, ARGV[i + 1])
  call('ZADD', indexes[state], ARGV[i + 6], id)
  if ARGV[i + 7] ~= '' then call('ZADD', people, '0', ARGV[i + 7]) end
  if state == 'waiting' and employee ~= '' then
    if ARGV[i + 8] ~= '0' then call('HSET', kills, id, ARGV[i + 8]) end
    local due = stamp(now + ARGV[i + 5])
    call('ZADD', queue, '0', employee .. '\0' .. lane .. due .. id)
    call('ZADD', lane == '0' and live or bulk, 'LT', due, employee)
  end
end
return 1
