-- Takes in links of another store.
-- KEYS: those of keys.lua
-- ARGV: now, then for each: person, account, link JSON, row of awaiting or '', appointment (ms) or ''
-- Answers the owner of an account that is taken, or ''.
for i = 2, #ARGV, 5 do
  local owner = tie(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4])
  if owner then return owner end
end
return ''
