-- block: a client on or off the market's blacklist, or a provider and a client apart: then his proposals of that client are taken back.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, client_id, p or nil, on, reason or nil}
-- Replies: CREATED, REPLACED, REMOVED, ABSENT
-- Source: SPEC.md R2, R29.
local function client_no(m, id)
  local cno = call('HGET', K.client_ids(m), id)
  if cno then return tonumber(cno) end
  cno = call('HINCRBY', K.numbers(m), 'client', 1)
  call('HSET', K.client_ids(m), id, cno)
  return cno
end

local function changed(m, a, cno)
  if a.p and a.on then return call('SADD', K.blocks(m, cno), a.p) end
  if a.p then return call('SREM', K.blocks(m, cno), a.p) end
  if a.on then return call('HSET', K.blacklist(m), cno, a.reason) end
  return call('HDEL', K.blacklist(m), cno)
end

function verbs.block(m, a)
  if not a.on and call('HEXISTS', K.client_ids(m), a.client_id) == 0 then return reply('ABSENT') end
  local cno = client_no(m, a.client_id)
  local new = changed(m, a, cno) == 1
  if a.on then event.note(m, 'Blocked', { client = cno, p = a.p }) elseif new then event.note(m, 'Unblocked', { client = cno, p = a.p }) end
  if a.p and a.on then seats.recall(m, a.p, 'ops', function(b) return b.client == cno end) end
  if a.p and new and not a.on then vacancy.wake(m, a.p) end
  if a.on then return reply(new and 'CREATED' or 'REPLACED') end
  return reply(new and 'REMOVED' or 'ABSENT')
end
