-- Puts one text in the place of another, or takes it away, if it is still as it was read.
-- KEYS: a hash.   ARGV: field, as it is stored, as it shall be or ''
-- Answers 1 or 0.
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
return 1
