-- complete: the visit has taken place.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, rid, bno}
-- Replies: COMPLETED, WRONG_STATE {state}, MISMATCH; the first two are kept under rid for 24 h of wall time.
-- Source: SPEC.md R26, R27, R38; P4.
local function completed(m, b)
  booking.move(m, b, 'complete')
  event.add(m, b.no, 'Completed', { p = b.winner })
  local window = b.spans[b.window + 1]
  visits.free(m, b.winner, b.no, window, read.market(m).gap, {})
  booking.tell(m, b, b.winner, window)
  served.add(m, b.winner, b.client)
  return reply('COMPLETED')
end

function verbs.complete(m, a)
  local kept, print = K.request(m, a.rid), 'complete'
  local before = ledger.recall(kept, print)
  if before then return before end
  local b = booking.get(m, a.bno)
  local answer = MOVES[b.state].complete and completed(m, b) or reply('WRONG_STATE', { state = b.state })
  return ledger.keep(kept, print, answer, clock.wall() + 86400000)
end
