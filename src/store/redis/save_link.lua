-- Writes a link while its lease goes on.
-- ARGV: now, token, employee, person, account, link JSON, row of awaiting or '', appointment (ms)
--       or ''
-- Answers {'done'}, {'lost'} or {'taken', owner}.
local record = call('HGET', work, ARGV[3])
if not record or token_of(record) ~= ARGV[2] then return { 'lost' } end
local owner = tie(ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8])
if owner then return { 'taken', owner } end
return { 'done' }
