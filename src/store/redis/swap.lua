-- Puts one delivery or link in the place of another, if that is still as it was read.
-- KEYS: those of keys.lua
-- ARGV: now, 'delivery' or 'link', its id or person, as it is stored, JSON or '' to take it away,
--       employee, 'guarded' when a lease is in the way or '',
--       and of a link account, row of awaiting or '', appointment (ms) or ''
-- Answers 1 or 0.
local what, name, old, new, employee = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local till = ARGV[7] ~= '' and call('ZSCORE', leases, employee)
if till and tonumber(till) > now then return 0 end
if call('HGET', what == 'link' and links or deliveries, name) ~= old then return 0 end
if what == 'link' then
  if tie(name, ARGV[8], new, ARGV[9], ARGV[10]) then return 0 end
elseif new ~= '' then
  call('HSET', deliveries, name, new)
else
  call('HDEL', deliveries, name)
  call('HDEL', kills, name)
  for _, index in ipairs({ waiting, done, dead, ignored }) do call('ZREM', index, name) end
end
return 1
