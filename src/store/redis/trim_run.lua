-- Lets go of a run and its items, if it still has ended and is old enough.
-- KEYS: runs, run_ids, ended, closed, the items of the run, its pages
-- ARGV: run, before (ms)
-- Answers how many records went. Redis frees the items later, beside its work.
local began = redis.call('ZSCORE', KEYS[3], ARGV[1])
if not began or tonumber(began) >= tonumber(ARGV[2]) then return 0 end
local count = 1 + redis.call('ZCARD', KEYS[5])
redis.call('UNLINK', KEYS[5], KEYS[6])
redis.call('SREM', KEYS[4], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[1], ARGV[1])
return count
