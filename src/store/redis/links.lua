-- A part of a source's links.
-- KEYS: links
-- ARGV: the server that gave the place and the place, or '' and '0'; which fields, how many
-- Answers {server, place, {person, link, person, link...}}; the place is '0' at the end.
-- A place means something only to the process that gave it: after a restart or a failover the walk
-- begins anew. (A Redis that does not let us ask who it is takes all places for its own.)
local info = redis.pcall('INFO', 'server')
local server = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''
local place = ARGV[1] == server and ARGV[2] or '0'
local some = redis.call('HSCAN', KEYS[1], place, 'MATCH', ARGV[3], 'COUNT', ARGV[4])
return { server, some[1], some[2] }
