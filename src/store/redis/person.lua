-- Stands before scripts that begin or end leases. A person's row in the queue is
-- "<employee>\0" .. ticket, and a ticket is lane (1 character) .. due (13 digits) .. delivery id.
-- A person's record of work is "<token>\n<ticket>\n<ticket>...".

local function due_of(ticket) return string.sub(ticket, 2, 14) end
local function delivery_of(ticket) return string.sub(ticket, 15) end
local function token_of(record) return string.match(record, '^[^\n]*') end

-- The tickets in a record of work.
local function tickets_of(record)
  return string.gmatch(string.sub(record, #token_of(record) + 1), '[^\n]+')
end

-- Puts a person where others find them: in each lane, at the time of the earliest ticket.
local function line_up(employee)
  for lane, ready in pairs({ ['0'] = live, ['1'] = bulk }) do
    local row = call('ZRANGEBYLEX', queue, '[' .. employee .. '\0' .. lane,
      '(' .. employee .. '\0' .. lane .. ':', 'LIMIT', 0, 1)[1]
    if row then
      call('ZADD', ready, due_of(string.sub(row, #employee + 2)), employee)
    else
      call('ZREM', ready, employee)
    end
  end
end

-- Ends a lease, whoever held it.
local function let_go(employee)
  call('ZREM', leases, employee)
  call('HDEL', work, employee)
  line_up(employee)
end

-- Ends a lease that ran out: a worker died, or was too slow.
local function take_back(employee)
  local record = call('HGET', work, employee)
  if record then
    for ticket in tickets_of(record) do call('HINCRBY', kills, delivery_of(ticket), 1) end
  end
  let_go(employee)
end

-- Notes whom a person's link awaits (a row of `awaiting`, or '') and when they are to be looked at
-- again (ms, or '').
local function index(person, row, at)
  local before = call('HGET', awaits, person)
  if before and before ~= row then
    call('ZREM', awaiting, before)
    call('HDEL', awaits, person)
  end
  if row ~= '' then
    call('HSET', awaits, person, row)
    call('ZADD', awaiting, '0', row)
  end
  if at ~= '' then
    call('ZADD', appointments, at, person)
  else
    call('ZREM', appointments, person)
  end
end

-- The account in a stored link, or ''.
local function account_of(link)
  return string.sub(link, 1, string.find(link, '\0', 1, true) - 1)
end

-- Writes a link as "<account>\0<json>"; returns the owner instead when the account is another's.
local function tie(person, account, link, row, at)
  local owner = account ~= '' and call('HGET', accounts, account)
  if owner and owner ~= person then return owner end
  local before = call('HGET', links, person)
  if before then
    local old = account_of(before)
    if old ~= '' and old ~= account then call('HDEL', accounts, old) end
  end
  if account ~= '' then call('HSET', accounts, account, person) end
  call('HSET', links, person, account .. '\0' .. link)
  index(person, row, at)
end
