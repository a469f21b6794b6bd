-- search_again: on ops' word another provider is looked for instead of one who did not come, or was said to be late.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, rid, print (of the request), bno, winner (as the caller saw it, 0: none), seen (his version), working {quarters of
--       his own hours around the visit}, windows, ends (of the search for each: ops' word), start, urgency, reason}
-- Replies: SEARCHING {deadline, urgency}, WRONG_STATE {state}, HELD {owner}, NOT_REPORTED (he holds it, and nobody said that he is
--          late), BLOCKED (its
--          client may not book), STALE (another winner, or he has changed), MISMATCH; all but the last two are kept under rid for 24 h
--          of wall time.
-- Source: SPEC.md R17, R29, R37; P3, P4.

-- A new round, as the windows are others; he is none of those who are asked in it.
local function begun(m, a, b)
  local winner, p = b.winner, seats.get(m, b.no, b.winner)
  alarm.ends(m, b)
  booking.let_go(m, b, 'cancelled', a)
  seats.close(m, b.no, winner, p, 'withdrawn', 'ops')
  booking.again(m, b, 'search_again', a)
  booking.renew(m, b, a)
  p[S.round] = b.round
  seats.put(m, b.no, winner, p)
  gauge.add(m, 'proposals.' .. p[S.state], 1)
  event.add(m, b.no, 'SearchedAgain', { p = winner, windows = a.windows, deadline = b.deadline, urgency = b.urgency })
  call('HSET', K.who(m, b.no), 'replaced_reason', a.reason)
  outbox.add(m, b.no, 'booking.reopened', { reason = 'replacement' })
  gauge.add(m, 'count.replacements', 1)
  return reply('SEARCHING', { deadline = b.deadline, urgency = b.urgency })
end

function verbs.search_again(m, a)
  local kept = K.request(m, a.rid)
  local before = ledger.recall(kept, a.print)
  if before then return before end
  local b = booking.get(m, a.bno)
  if not booking.known(m, b, a) then return reply('STALE') end
  local answer
  if not booking.may(b, 'search_again') then answer = hands.refusal(m, b)
  elseif b.state == 'accepted' and not b.alarm then answer = reply('NOT_REPORTED')
  elseif call('HEXISTS', K.blacklist(m), b.client) == 1 then answer = reply('BLOCKED')
  else answer = begun(m, a, b) end
  return ledger.keep(kept, a.print, answer, clock.wall() + 86400000)
end
