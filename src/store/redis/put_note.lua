-- Writes or removes a note, if it says what it was thought to say.
-- KEYS: notes
-- ARGV: name, this call's token, 'text' or '', the text of before, 'text' or '', the text of now
-- Answers 1 or 0.
local function is(text, flag, wanted)
  if flag == '' then return not text end
  return text == wanted
end

local kept, text = redis.call('HGET', KEYS[1], ARGV[1]), nil
if kept then
  local split = string.find(kept, '\0', 1, true)
  if string.sub(kept, 1, split - 1) == ARGV[2] then return 1 end -- again: its answer was lost
  text = string.sub(kept, split + 1)
end
if not is(text, ARGV[3], ARGV[4]) then return 0 end
if ARGV[5] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. '\0' .. ARGV[6])
end
return 1
