-- Lets go of events received before a time, beginning at the old end of the list. One that a waiting
-- or dead delivery still needs is set aside; settling the delivery puts it back (settle.lua).
-- KEYS: seen, events, repeats, waiting, dead, needed.   ARGV: before (ms), most
local call = redis.call
local seen, events, repeats, waiting, dead, needed = unpack(KEYS)
local before = tonumber(ARGV[1])

local function is_needed(event)
  local body = call('HGET', events, event)
  if not body then return false end
  local carriers = string.sub(body, 1, string.find(body, '\0', 1, true) - 1)
  for id in string.gmatch(carriers, '[^,]+') do
    if call('ZSCORE', waiting, id) or call('ZSCORE', dead, id) then return true end
  end
  return false
end

local rows, young, count = call('LRANGE', seen, 0, ARGV[2] - 1), {}, 0
for _, row in ipairs(rows) do
  local received, event = string.sub(row, 1, 13), string.sub(row, 14)
  if tonumber(received) >= before then
    table.insert(young, 1, row)
  elseif is_needed(event) then
    call('HSET', needed, event, received)
  else
    call('HDEL', events, event)
    call('HDEL', repeats, event)
    count = count + 1
  end
end
if #young < #rows then
  call('LTRIM', seen, #rows, -1)
  if #young > 0 then call('LPUSH', seen, unpack(young)) end
end
return count
