-- cancel: the client or ops end a booking; the winner's own cancellation opens the search again, unless its client is blacklisted.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, rid, bno, by (client, ops, provider), reason (his words), declared (illness, force_majeure) or nil, hand or nil,
--       winner (as the caller saw it, 0: none), seen (his version), working {quarters of his own hours around the visit}, ends (of the
--       search that opens again, for each window), urgency (of it), device (p, when he says so himself) or nil}
-- Replies: CANCELLED, REOPENED, HELD {owner (the name of who has taken it over)}, WRONG_STATE {state}, STALE (another winner, or he has
--          changed), MISMATCH; the first four are kept under rid for 24 h of wall time.
-- Source: SPEC.md R23, R29, R35, R36, R83; P3, P4, P10.

local function cancelled(m, a, b)
  booking.call_off(m, b, a, { by = a.by, declared = a.declared, free = a.by == 'provider' and b.free ~= nil or nil })
  return reply('CANCELLED')
end

local function reopened(m, a, b)
  local winner, early, free = b.winner, booking.early(b), b.free ~= nil or nil -- he was told that it is free
  local p = seats.get(m, b.no, winner)
  alarm.ends(m, b)
  booking.let_go(m, b, 'cancelled', a)
  seats.close(m, b.no, winner, p, 'withdrawn', 'cancelled')
  booking.again(m, b, 'reopen', a)
  event.add(m, b.no, 'Reopened', { p = winner, deadline = b.deadline, urgency = b.urgency, early = early, declared = a.declared,
    free = free })
  outbox.add(m, b.no, 'booking.reopened', {})
  gauge.add(m, 'count.reopened', 1)
  return reply('REOPENED')
end

-- The move it is, and what does it: nobody searches for a client who may not book.
local function way(m, a, b)
  if a.by == 'provider' and call('HEXISTS', K.blacklist(m), b.client) == 0 then return 'reopen', reopened end
  if a.by == 'provider' and not booking.may(b, 'reopen') then return 'reopen', reopened end
  return 'cancel', cancelled
end

function verbs.cancel(m, a)
  local kept, print = K.request(m, a.rid), redis.sha1hex('c' .. a.by .. ':' .. a.bno .. (a.device and a.reason .. (a.declared or '') or ''))
  local before = ledger.recall(kept, print)
  if before then return before end
  if a.device then silence.ends(m, a.device) end
  local b = booking.get(m, a.bno)
  if not booking.known(m, b, a) then return reply('STALE') end
  local move, act = way(m, a, b)
  local answer
  if booking.may(b, move) then
    answer = act(m, a, b)
    hands.note(m, a, 'cancel', { b = b.no })
    if a.reason ~= '' then call('HSET', K.who(m, b.no), 'cancel_reason', a.reason) end
  else
    answer = hands.refusal(m, b)
  end
  return ledger.keep(kept, print, answer, clock.wall() + 86400000)
end
