-- close: nobody took the booking before its deadline.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, bno, rev}
-- Replies: CLOSED, STALE (it has moved since), EARLY (its deadline has not come)
-- Source: SPEC.md R17, P3.
function verbs.close(m, a)
  local b = booking.get(m, a.bno)
  if not b or b.state ~= 'searching' or b.rev ~= a.rev then return reply('STALE') end
  if clock.now() < b.deadline then return reply('EARLY') end
  booking.move(m, b, 'close')
  event.add(m, b.no, 'Unfilled', {})
  seats.withdraw_all(m, b, 'expired', 'expired')
  outbox.add(m, b.no, 'booking.unfilled', { offers = { 'extend', 'other_window', 'cancel' } })
  gauge.add(m, 'count.unfilled', 1)
  return reply('CLOSED')
end
