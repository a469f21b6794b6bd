-- move: the client wants other windows. Whoever has a proposal, or holds the visit, is told; a new round of the search begins, and whoever
-- held it has the first word in it.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, rid, print (of the request), bno, winner (as the caller saw it, 0: none), seen (his version), working {quarters of
--       his own hours around the visit}, windows, ends (of the search for each), start, urgency, override (ops' word, R10) or nil,
--       reason (of that) or nil}
-- Replies: MOVED {deadline, urgency}, WRONG_STATE {state}, HELD {owner}, BLOCKED (its client may not book), STALE
--          (another winner, or he has changed), MISMATCH; the first three are kept under rid for 24 h of wall time.
-- Source: SPEC.md R10, R15, R29, R36; P3, P4.
local function moved(m, a, b)
  local winner = b.winner
  alarm.ends(m, b)
  seats.withdraw_all(m, b, 'withdrawn', 'changed')
  if winner then
    local p = seats.get(m, b.no, winner)
    booking.let_go(m, b, 'searching', a)
    seats.close(m, b.no, winner, p, 'withdrawn', 'changed')
  end
  booking.again(m, b, 'move', a)
  booking.renew(m, b, a)
  event.add(m, b.no, 'Moved', { p = winner, windows = a.windows, deadline = b.deadline, urgency = b.urgency, override = a.override })
  if a.override then call('HSET', K.who(m, b.no), 'override', a.reason) end
  if winner then outbox.add(m, b.no, 'booking.reopened', { reason = 'moved' }) end
  gauge.add(m, 'count.moved', 1)
  if winner then call('HSET', K.booking(m, b.no), 'chosen', winner, 'hold', -1) end -- he is owed the first word (waves.py)
  return reply('MOVED', { deadline = b.deadline, urgency = b.urgency })
end

function verbs.move(m, a)
  local kept = K.request(m, a.rid)
  local before = ledger.recall(kept, a.print)
  if before then return before end
  local b = booking.get(m, a.bno)
  if not booking.known(m, b, a) then return reply('STALE') end
  local answer
  if not booking.may(b, 'move') then answer = hands.refusal(m, b)
  elseif call('HEXISTS', K.blacklist(m), b.client) == 1 then answer = reply('BLOCKED')
  else answer = moved(m, a, b) end
  return ledger.keep(kept, a.print, answer, clock.wall() + 86400000)
end
