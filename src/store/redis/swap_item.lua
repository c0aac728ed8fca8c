-- Puts one item of a run in the place of another, if it is still as it was read.
-- KEYS: the items of the run.   ARGV: number, as it is stored, as it shall be
-- Answers 1 or 0.
if redis.call('ZREM', KEYS[1], ARGV[2]) == 0 then return 0 end
redis.call('ZADD', KEYS[1], ARGV[1], ARGV[3])
return 1
