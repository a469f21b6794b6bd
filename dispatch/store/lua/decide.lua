-- decide: the fair window of a booking is over: of those who accepted within it the best-ranked wins, and each of them is told.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, bno}
-- Replies: DECIDED, EARLY (it is not over: looked at again when it is), STALE (nobody waits for a decision)
-- Source: SPEC.md R15, R16; P1, P3.
function verbs.decide(m, a)
  local b = booking.get(m, a.bno)
  if not b or not b.decides_at then return reply('STALE') end
  if not fair.overdue(b) then
    call('ZADD', K.due(m), b.decides_at, b.no)
    return reply('EARLY')
  end
  fair.settle(m, b.no)
  if call('HGET', K.booking(m, b.no), 'state') == 'searching' then booking.attend(m, b.no) end
  return reply('DECIDED')
end
