-- Lets go of a run and its items, if it still has ended and is old enough.
-- KEYS: runs, run_ids, ended, the items of the run, its pages
-- ARGV: run, before (ms)
-- Answers how many records went. Redis frees the items later, beside its work.
local began = redis.call('ZSCORE', KEYS[3], ARGV[1])
if not began or tonumber(began) >= tonumber(ARGV[2]) then return 0 end
local count = 1 + redis.call('ZCARD', KEYS[4])
redis.call('UNLINK', KEYS[4], KEYS[5])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[1], ARGV[1])
return count
