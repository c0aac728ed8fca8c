-- Writes a run, if what is stored has the revision before; one that is not there has the revision 0.
-- KEYS: runs, run_ids, ended, closed
-- ARGV: run, this call's token, the revision before, the revision, JSON, when it began (ms) if it
--       has ended, or '', and 1 if nobody has to go on with it
-- Answers 1 or 0.
local runs, run_ids, ended, closed = unpack(KEYS)
local run, token, before, revision, json, began, is_closed = unpack(ARGV)
local stored, now = redis.call('HGET', runs, run), '0'
if stored then
  local first = string.find(stored, '\0', 1, true)
  local second = string.find(stored, '\0', first + 1, true)
  if string.sub(stored, 1, first - 1) == token then return 1 end -- again: its answer was lost
  now = string.sub(stored, first + 1, second - 1)
end
if now ~= before then return 0 end
redis.call('HSET', runs, run, token .. '\0' .. revision .. '\0' .. json)
redis.call('ZADD', run_ids, '0', run)
if began ~= '' then
  redis.call('ZADD', ended, began, run)
else
  redis.call('ZREM', ended, run)
end
redis.call(is_closed == '1' and 'SADD' or 'SREM', closed, run)
return 1
