-- Writes items of a run, each in the place of the one with its number.
-- KEYS: runs, the items of the run
-- ARGV: run, then for each: number, JSON
-- Answers 1, or 0 when the run is not there: then nothing would ever let go of its items.
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
for i = 2, #ARGV, 2 do
  redis.call('ZREMRANGEBYSCORE', KEYS[2], ARGV[i], ARGV[i])
  redis.call('ZADD', KEYS[2], ARGV[i], ARGV[i + 1])
end
return 1
