-- block: a client on or off the market's blacklist, or a provider and a client apart: then his open proposals of that client are taken
-- back, and others get his seats. Either side may want it, and only who wanted it takes it back.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, client_id, p and by (provider or client) or nil, on, reason or nil, hand or nil}
-- Replies: CREATED, REPLACED, REMOVED, ABSENT
-- Source: SPEC.md R2, R29.
local function client_no(m, id)
  local cno = call('HGET', K.client_ids(m), id)
  if cno then return tonumber(cno) end
  cno = call('HINCRBY', K.numbers(m), 'client', 1)
  call('HSET', K.client_ids(m), id, cno)
  return cno
end

-- A side (1: the provider's, 2: the client's) of a pair of them; they stay apart while one side wants it. Whether that is new.
local function pair(m, a, cno)
  local sides = tonumber(call('HGET', K.block_sides(m, cno), a.p)) or 0
  if sides == 0 and call('SISMEMBER', K.blocks(m, cno), a.p) == 1 then sides = 1 end -- an older version told no sides
  local side = a.by == 'client' and 2 or 1
  local had = sides % (2 * side) >= side
  if had == a.on then return 0 end
  local now = sides + (a.on and side or -side)
  if now == 0 then call('HDEL', K.block_sides(m, cno), a.p) else call('HSET', K.block_sides(m, cno), a.p, now) end
  if (sides == 0) ~= (now == 0) then past.note(m, a.p, past.BLOCK, cno, sides == 0 and 0 or 1) end
  if sides == 0 then call('SADD', K.blocks(m, cno), a.p) elseif now == 0 then call('SREM', K.blocks(m, cno), a.p) end
  return 1
end

local function changed(m, a, cno)
  if a.p then return pair(m, a, cno) end
  if a.on then return call('HSET', K.blacklist(m), cno, a.reason) end
  return call('HDEL', K.blacklist(m), cno)
end

local function note(m, a, cno)
  if a.on then event.note(m, 'Blocked', { client = cno, p = a.p, by = a.by })
  else event.note(m, 'Unblocked', { client = cno, p = a.p, by = a.by }) end
  hands.note(m, a, a.on and 'block' or 'unblock', { client = cno, p = a.p })
end

function verbs.block(m, a)
  if not a.on and call('HEXISTS', K.client_ids(m), a.client_id) == 0 then return reply('ABSENT') end
  local cno = client_no(m, a.client_id)
  local new = changed(m, a, cno) == 1
  if a.on or new then note(m, a, cno) end
  if a.p and a.on then seats.recall(m, a.p, 'ops', function(b) return b.client == cno end) end
  if a.p and new and not a.on then vacancy.wake(m, a.p) end
  if a.on then return reply(new and 'CREATED' or 'REPLACED') end
  return reply(new and 'REMOVED' or 'ABSENT')
end
