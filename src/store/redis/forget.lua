-- Leaves a tombstone and takes a person out of the queue, unless they are under lease. Their
-- deliveries stay, for nobody.
-- KEYS: those of keys.lua, forgotten
-- ARGV: now, employee, person, when (ms)
-- Answers 1 or 0.
local employee, person, forgotten = ARGV[2], ARGV[3], KEYS[21]
local till = call('ZSCORE', leases, employee)
if till then
  if tonumber(till) > now then return 0 end
  take_back(employee) -- or its worker could still write
end
call('HSETNX', forgotten, person, ARGV[4])
call('HDEL', choices, person)
call('ZREMRANGEBYLEX', queue, '[' .. employee .. '\0', '(' .. employee .. '\1')
line_up(employee)
return 1
