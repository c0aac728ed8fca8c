-- One page of ids from an index, newest first: received and then id, both falling.
-- KEYS: states (sorted by received) or, alone, people (sorted by text)
-- ARGV: how many, 'states' or 'people', then the place before which to begin:
--       for states received (ms) and id, for people the bounds of the text
-- Answers {id, received, id, received...} of each index, or rows of people.
local most = tonumber(ARGV[1])
if ARGV[2] == 'people' then
  return { redis.call('ZREVRANGEBYLEX', KEYS[1], ARGV[3], ARGV[4], 'LIMIT', 0, most) }
end

local received, id = tonumber(ARGV[3]), ARGV[4]

-- By bytes, as Redis sorts; `<` of Lua follows the server's locale.
local function before(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

local answer = {}
for _, index in ipairs(KEYS) do
  -- The rank of the first one that is older than the place, by halving.
  local low, high = 0, redis.call('ZCARD', index)
  while low < high do
    local middle = math.floor((low + high) / 2)
    local one = redis.call('ZREVRANGE', index, middle, middle, 'WITHSCORES')
    local at = tonumber(one[2])
    if at < received or (at == received and before(one[1], id)) then
      high = middle
    else
      low = middle + 1
    end
  end
  answer[#answer + 1] = redis.call('ZREVRANGE', index, low, low + most - 1, 'WITHSCORES')
end
return answer
