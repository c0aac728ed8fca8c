-- Lets go of old entries of the audit log.
-- KEYS: audit, audit_ids, audit_ages
-- ARGV: before (ms), how many at most
-- Answers how many went.
local old = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', '(' .. ARGV[1], 'LIMIT', 0, ARGV[2])
for _, id in ipairs(old) do
  redis.call('HDEL', KEYS[1], id)
  redis.call('ZREM', KEYS[2], id)
  redis.call('ZREM', KEYS[3], id)
end
return #old
