-- Proposals of a booking: cmsgpack arrays by provider in K.proposals. A live one holds a seat of the booking and counts for
-- the provider's cap; a stale one is still open, but holds nothing (R12b). `far` is -1 where a zone has no centre.
S = { state = 1, wave = 2, kind = 3, round = 4, sent = 5, answer_by = 6, received = 7, seen = 8, answered = 9, reason = 10,
  seq = 11, live = 12, replaced = 13, far = 14, windows = 15, ended = 16, urgency = 17 }

function seats.get(m, bno, pno)
  local raw = call('HGET', K.proposals(m, bno), pno)
  return raw and cmsgpack.unpack(raw)
end

function seats.put(m, bno, pno, p)
  if p[S.reason] == nil then p[S.reason] = null end -- a hole would make a map of the array
  call('HSET', K.proposals(m, bno), pno, cmsgpack.pack(p))
end

-- All proposals of a booking as {pno = proposal}.
function seats.all(m, bno)
  local out = {}
  for pno, raw in pairs(read.hash(K.proposals(m, bno))) do out[tonumber(pno)] = cmsgpack.unpack(raw) end
  return out
end

-- Ends the live time of a proposal: its seat and its place under the cap are free again.
function seats.release(m, bno, pno, p)
  if p[S.live] ~= 1 then return end
  p[S.live] = 0
  if p[S.replaced] ~= 1 then call('HINCRBY', K.booking(m, bno), 'live', -1) end
  gauge.add(m, 'proposals.live', -1)
  seats.count(m, pno, -1)
end

-- A proposal leaves its state for good. Whoever decided on the booking as it was before has decided in vain (rev).
function seats.close(m, bno, pno, p, state, reason)
  seats.release(m, bno, pno, p)
  habits.ended(p, state)
  gauge.add(m, 'proposals.' .. p[S.state], -1)
  gauge.add(m, 'proposals.' .. state, 1)
  p[S.state], p[S.reason], p[S.ended] = state, reason or null, clock.now()
  call('HDEL', K.open(m, pno), 'p' .. bno)
  seats.put(m, bno, pno, p)
  call('HINCRBY', K.booking(m, bno), 'rev', 1)
  if state ~= 'accepted' then call('HSET', K.booking(m, bno), 'said_no', 1) end
end

-- Takes an open proposal back and tells every device of its provider why.
function seats.withdraw(m, b, pno, p, state, reason)
  seats.close(m, b.no, pno, p, state, reason)
  seats.tell_gone(m, b, pno, p, reason)
  event.add(m, b.no, 'Withdrawn', { p = pno, reason = reason })
end

function seats.tell_gone(m, b, pno, p, reason)
  inbox.push(m, pno, 4, inbox.body('type', 'withdrawn', 'proposal', seats.id(b.no, p[S.round], pno), 'version', b.version,
    'reason', reason))
end

function seats.id(bno, round, pno) return bno .. '.' .. round .. '.' .. pno end

-- Everyone who still holds an open proposal of the booking loses it.
function seats.withdraw_all(m, b, state, reason)
  for pno, p in pairs(seats.all(m, b.no)) do
    if p[S.state] == 'open' then seats.withdraw(m, b, pno, p, state, reason) end
  end
end

-- Takes back those open proposals of a provider of which `go(booking, proposal)` is true; others get his seats.
function seats.recall(m, pno, reason, go)
  for _, item in ipairs(call('HKEYS', K.open(m, pno))) do
    local bno = tonumber(string.match(item, '^p(%d+)$'))
    local b, p = bno and booking.get(m, bno), bno and seats.get(m, bno, pno)
    if bno and go(b, p) then
      seats.withdraw(m, b, pno, p, 'withdrawn', reason)
      booking.attend(m, bno)
    end
  end
end
