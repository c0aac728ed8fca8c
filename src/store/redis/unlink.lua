-- Takes a person's link away, unless they are under lease.
-- ARGV: now, employee, person
-- Answers 1 or 0.
local employee, person = ARGV[2], ARGV[3]
local till = call('ZSCORE', leases, employee)
if till then
  if tonumber(till) > now then return 0 end
  take_back(employee) -- or its worker could still write the link again
end
local link = call('HGET', links, person)
if link then
  local account = account_of(link)
  if account ~= '' then call('HDEL', accounts, account) end
  call('HDEL', links, person)
end
index(person, '', '')
return 1
