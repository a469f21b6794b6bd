-- Proposals of a booking: cmsgpack arrays by provider in K.proposals. A live one holds a seat of the booking and counts for
-- the provider's cap; a stale one is still open, but holds nothing (R12b). `far` is -1 where a zone has no centre.
S = { state = 1, wave = 2, kind = 3, round = 4, sent = 5, answer_by = 6, received = 7, seen = 8, answered = 9, reason = 10,
  seq = 11, live = 12, replaced = 13, far = 14, windows = 15, ended = 16, urgency = 17, keen = 18, ease = 19, usual = 20 }

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

-- Whether he may still accept it: it is open, or he has proposed other times beside it (R24).
function seats.stands(p) return p[S.state] == 'open' or p[S.state] == 'countered' end

function seats.id(bno, round, pno) return bno .. '.' .. round .. '.' .. pno end

function seats.tell_gone(m, b, pno, p, reason)
  inbox.push(m, pno, 4, inbox.body('type', 'withdrawn', 'proposal', seats.id(b.no, p[S.round], pno), 'version', b.version,
    'reason', reason))
  pushes.replace(m, b, pno, p)
end
