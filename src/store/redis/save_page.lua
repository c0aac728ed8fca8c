-- Keeps a page of what a run has read.
-- KEYS: runs, ended, the pages of the run
-- ARGV: run, number, JSON, seconds after which nobody needs it any more
-- Answers 1, or 0 when the run is not there or has ended: then nothing would ever let go of it.
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
if redis.call('ZSCORE', KEYS[2], ARGV[1]) then return 0 end
redis.call('HSET', KEYS[3], ARGV[2], ARGV[3])
redis.call('EXPIRE', KEYS[3], ARGV[4])
return 1
