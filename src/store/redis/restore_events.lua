-- Takes in events of another store; those that are there stay as they are.
-- KEYS: events, seen, repeats
-- ARGV: for each: event, body as in `events`, received (13 digits), repeats
for i = 1, #ARGV, 4 do
  if redis.call('HSETNX', KEYS[1], ARGV[i], ARGV[i + 1]) == 1 then
    redis.call('RPUSH', KEYS[2], ARGV[i + 2] .. ARGV[i])
    if ARGV[i + 3] ~= '0' then redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 3]) end
  end
end
return 1
