-- Counts who can be leased now, up to a number.
-- ARGV: now, most
-- Answers {persons, of them those with live work, when the next one can be leased or nil, now}.
local most = tonumber(ARGV[2])
local listed, count = {}, 0
local live_count = 0
for n, ready in ipairs({ live, bulk, leases }) do
  local due = call('ZRANGEBYSCORE', ready, '-inf', now, 'LIMIT', 0, most)
  if n == 1 then live_count = #due end
  for _, employee in ipairs(due) do
    if not listed[employee] then
      listed[employee] = true
      count = count + 1
    end
  end
end
local next_one = false
if count == 0 then
  for _, ready in ipairs({ live, bulk, leases }) do
    local at = tonumber(call('ZRANGE', ready, 0, 0, 'WITHSCORES')[2])
    if at and (not next_one or at < next_one) then next_one = at end
  end
end
return { math.min(count, most), live_count, next_one, now }
