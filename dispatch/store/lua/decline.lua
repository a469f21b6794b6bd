-- decline: the client does not want the times that a provider proposed.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, rid, bno, offer (number of the counteroffer)}
-- Replies: DECLINED, WRONG_STATE {state}, UNKNOWN, MISMATCH; the first two are kept under rid for 24 h of wall time.
-- Source: SPEC.md R24; PROTOCOL.md section 1.
function verbs.decline(m, a)
  local kept, print = K.request(m, a.rid), 'decline ' .. a.bno .. '.' .. a.offer
  local before = ledger.recall(kept, print)
  if before then return before end
  local b, one = booking.get(m, a.bno), offers.get(m, a.bno, a.offer)
  if not one then return reply('UNKNOWN') end
  local state, answer = offers.state(one), reply('DECLINED')
  if state == 'shown' then offers.close(m, b, one, 'declined') else answer = reply('WRONG_STATE', { state = state }) end
  return ledger.keep(kept, print, answer, clock.wall() + 86400000)
end

-- end_counteroffers: ARGV {m, limit}: the next ones whose time is over end. Replies: DONE {ended}
function verbs.end_counteroffers(m, a)
  local over = call('ZRANGEBYSCORE', K.counter_due(m), '-inf', clock.now(), 'LIMIT', 0, a.limit)
  for _, id in ipairs(over) do
    local bno, number = string.match(id, '^(%d+)%.(%d+)$')
    offers.close(m, booking.get(m, bno), offers.get(m, bno, number), 'expired')
  end
  return reply('DONE', { ended = #over })
end
