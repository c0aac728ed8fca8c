-- KEYS: waiting, dead, done, ignored, then the leases of each source.   ARGV: now
-- Answers {waiting, dead, done, ignored, leased, when the oldest waiting was received or nil}.
local answer = {}
for i = 1, 4 do answer[i] = call('ZCARD', KEYS[i]) end
answer[5] = 0
for i = 5, #KEYS do
  answer[5] = answer[5] + call('ZCOUNT', KEYS[i], '(' .. now, '+inf')
end
answer[6] = call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2] or false
return answer
