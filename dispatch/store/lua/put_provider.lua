-- put_provider: creates or replaces one provider, in the index too. With too much to write for one call he stays out of matching until
-- `put_rest` has written it. One who may not be asked any more loses his open proposals, and others get his seats (reason: ops).
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, id, seen (his version as the caller saw it, 0: new), settings, status, trade, rank or nil {tier, score, bucket,
--       orders, answered}, facts and writes (see lib/index.lua), until (first quarter not indexed), basis (what else his bits depend on),
--       hand or nil}
-- Replies: CREATED or REPLACED {p, more (put_rest follows), left {bucket, slot} or nil (to sweep)}, STALE (not as seen, or unwritten)
-- Source: SPEC.md R2-R5, R15; PROTOCOL.md section 1.
local SOON = 5000 -- ms after which a worker goes on with what is not written yet

local function create(m, a)
  local pno, bucket = call('HINCRBY', K.numbers(m), 'provider', 1), a.rank.bucket
  call('HSET', K.provider_ids(m), a.id, pno)
  call('HSET', K.provider(m, pno), 'slot', slots.take(m, bucket), 'bucket', bucket, 'seq', 0, 'live', 0, 'version', 0, 'askable', 0,
    'since', clock.now())
  gauge.add(m, 'providers.known', 1)
  return pno
end

local function describe(m, a, pno, slot, asked, fresh)
  local key, rank, answered = K.provider(m, pno), shelf.rank(m, pno, a.rank)
  index.facts(m, slot, pno, a.facts, asked, rank, fresh, answered)
  call('HSET', key, 'trade', a.trade, 'until', a['until'], 'basis', a.basis)
  index.based(m, a.basis)
  call('HINCRBY', key, 'version', 1)
  past.settings(m, pno, a.settings)
  call('SET', K.profile(m, pno), a.settings)
end

-- Writes on from `at`; he takes part when all is written. Whether more is to be written.
local function settle(m, pno, todo, at, begun)
  local key, x, slot = K.provider(m, pno), shelf.place(m, pno)
  at = index.write(x, slot, todo.writes, at, begun)
  if at then
    call('HSET', key, 'status', 'loading', 'rest', cmsgpack.pack({ writes = todo.writes, status = todo.status, at = at }))
    call('ZADD', K.unwritten(m), clock.wall() + SOON, pno)
  else
    visits.block_all(m, pno, read.market(m).gap)
    call('HSET', key, 'status', todo.status)
    index.approve(m, pno, todo.status)
    call('HDEL', key, 'rest')
    call('ZREM', K.unwritten(m), pno)
    vacancy.wake(m, pno) -- he may do more than before
  end
  record.refresh(m, pno)
  return at ~= nil
end

function verbs.put_provider(m, a)
  local begun, pno = clock.busy(), tonumber(call('HGET', K.provider_ids(m), a.id))
  local fresh, version, rest, was = not pno, 0, false, nil
  if pno then version, rest, was = unpack(call('HMGET', K.provider(m, pno), 'version', 'rest', 'status')) end
  if tonumber(version) ~= a.seen or rest then return reply('STALE') end
  pno = pno or create(m, a)
  local slot, asked, left = shelf.move(m, pno, a.rank)
  describe(m, a, pno, slot, asked, fresh)
  local more = settle(m, pno, a, { 1, 1 }, begun)
  event.note(m, 'ProviderPut', { p = pno, created = fresh })
  hands.note(m, a, 'provider', { p = pno })
  if a.status ~= 'approved' then seats.recall(m, pno, 'ops', function() return true end) end
  if a.status == 'inactive' and was ~= 'inactive' then rights.block(m, pno) end
  return reply(fresh and 'CREATED' or 'REPLACED', { p = pno, more = more, left = left })
end

-- put_rest: ARGV {m, p}: writes on what put_provider or put_rest did not get through. Replies: DONE {more}
function verbs.put_rest(m, a)
  local begun, rest = clock.busy(), call('HGET', K.provider(m, a.p), 'rest')
  local todo = rest and cmsgpack.unpack(rest)
  return reply('DONE', { more = todo and settle(m, a.p, todo, todo.at, begun) or false })
end
