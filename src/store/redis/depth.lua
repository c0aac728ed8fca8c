-- KEYS: waiting, dead, done, ignored, then the leases of each source.   ARGV: now or ''
-- Answers {waiting, dead, done, ignored, leased, when the oldest waiting was received or nil}.
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local answer = {}
for i = 1, 4 do answer[i] = redis.call('ZCARD', KEYS[i]) end
answer[5] = 0
for i = 5, #KEYS do
  answer[5] = answer[5] + redis.call('ZCOUNT', KEYS[i], '(' .. now, '+inf')
end
answer[6] = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2] or false
return answer
