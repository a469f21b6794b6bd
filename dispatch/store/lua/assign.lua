-- assign: ops give a booking that they have to a provider by hand. It is won by the verb accept, as ever; whoever held it is told.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, rid, bno, hand {key, name}, reason, override (against some filter), p, seen (his version), wanted (window he was
--       asked to give, or -1), window (index, from 0),
--       far (m, or -1), holder (who holds it as the caller saw it, 0: nobody), held (his version), working {quarters of his own hours
--       around the visit}}
-- Replies: WON, HELD {owner (the name of whoever has it)}, WRONG_STATE {state}, ALREADY_YOURS (he holds it), EXPIRED (the visit is over),
--          STALE (somebody has changed), MISMATCH, or that word with which accept refuses. The first is kept under rid for 24 h of
--          wall time.
-- Source: SPEC.md R2, R83, R84; P1, P7, P10; decision 28.
local function version(m, pno)
  return pno and tonumber(call('HGET', K.provider(m, pno), 'version')) or 0
end

-- Why not, but for what accept finds out.
local function obstacle(m, a, b)
  if not booking.may(b, 'assign') then return hands.another(m, b) and 'HELD' or 'WRONG_STATE' end
  if (b.winner or 0) ~= a.holder or version(m, b.winner) ~= a.held or version(m, a.p) ~= a.seen then return 'STALE' end
  if b.winner == a.p then return 'ALREADY_YOURS' end
  if clock.now() >= b.spans[a.window + 1][2] then return 'EXPIRED' end
end

-- The one claim, on a proposal that nobody ever saw: it is no answer of his. What accept says.
local function claim(m, a, b)
  local now = clock.now()
  local given = { 'open', b.wave, 'direct', b.round, now, now, 0, 0, 0, null, 0, 0, 0, a.far, { a.window }, 0 }
  return cmsgpack.unpack(verbs.accept(m, { m = m, p = a.p, id = 'ops:' .. a.rid, proposal = seats.id(b.no, b.round, a.p), bno = b.no,
    round = b.round, version = b.version, window = 0, cause = 'ops', given = given })).word
end

-- It is no longer his: he is told, and his time is free.
local function release(m, a, b)
  local p = seats.get(m, b.no, b.winner)
  alarm.ends(m, b) -- it was of his visit
  booking.let_go(m, b, 'cancelled', a)
  call('HDEL', K.booking(m, b.no), 'free')
  seats.close(m, b.no, b.winner, p, 'withdrawn', 'ops')
end

function verbs.assign(m, a)
  local kept, print = K.request(m, a.rid), redis.sha1hex('assign ' .. a.p .. ':' .. a.wanted)
  local before = ledger.recall(kept, print)
  if before then return before end
  local b = booking.get(m, a.bno)
  local no, earlier = obstacle(m, a, b), seats.get(m, b.no, a.p)
  if no then return reply(no, { state = b.state, owner = hands.another(m, b) }) end
  no = claim(m, a, b)
  if no ~= 'WON' then return reply(no) end
  gauge.add(m, 'proposals.open', 1)
  seats.supersede(m, earlier and earlier[S.round] == b.round and earlier[S.state])
  if b.winner then release(m, a, b) end
  local line = hands.note(m, a, 'assign', { b = b.no, p = a.p, override = a.override })
  event.add(m, b.no, 'Assigned', { p = a.p, audit = line, override = a.override, instead = b.winner })
  return ledger.keep(kept, print, reply('WON'), clock.wall() + 86400000)
end
