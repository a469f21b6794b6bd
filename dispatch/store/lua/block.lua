-- block: a client on or off the market's blacklist, or a provider and a client apart.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, client_id, p or nil, on, reason or nil}
-- Replies: CREATED, REPLACED, REMOVED, ABSENT
-- Source: SPEC.md R2, R29.
local function client_no(m, id)
  local cno = call('HGET', K.client_ids(m), id)
  if cno then return cno end
  cno = call('HINCRBY', K.numbers(m), 'client', 1)
  call('HSET', K.client_ids(m), id, cno)
  return cno
end

function verbs.block(m, a)
  local cno, changed = client_no(m, a.client_id), nil
  if a.p and a.on then changed = call('SADD', K.blocks(m, cno), a.p)
  elseif a.p then changed = call('SREM', K.blocks(m, cno), a.p)
  elseif a.on then changed = call('HSET', K.blacklist(m), cno, a.reason)
  else changed = call('HDEL', K.blacklist(m), cno) end
  event.note(m, a.on and 'Blocked' or 'Unblocked', { client = tonumber(cno), p = a.p })
  if a.on then return reply(changed == 1 and 'CREATED' or 'REPLACED') end
  return reply(changed == 1 and 'REMOVED' or 'ABSENT')
end
