-- Writes an entry of the audit log.
-- KEYS: audit, audit_ids, audit_ages
-- ARGV: id, at (ms), entry (JSON)
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('ZADD', KEYS[2], 0, ARGV[1])
redis.call('ZADD', KEYS[3], ARGV[2], ARGV[1])
return 1
