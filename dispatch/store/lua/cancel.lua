-- cancel: the client or ops end a booking; the winner's own cancellation opens the search again.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, rid, bno, by (client, ops, provider), reason, working {quarters of the winner's own hours around the visit},
--       winner (as the caller saw it), deadline (of the search that opens again)}
-- Replies: CANCELLED, REOPENED, WRONG_STATE {state}, STALE (another winner); kept under rid for 24 h of wall time, but the last.
-- Source: SPEC.md R35, R36; P3, P4.
local function free_winner(m, a, b)
  local window = b.spans[tonumber(b.window) + 1]
  visits.free(m, b.winner, b.no, window, tonumber(call('HGET', K.market(m), 'gap')), a.working)
  booking.tell(m, b, b.winner, window)
end

local function cancelled(m, a, b)
  local held = b.state == 'accepted'
  booking.move(m, b, 'cancel')
  event.add(m, b.no, 'Cancelled', { by = a.by })
  if held then free_winner(m, a, b) end
  seats.withdraw_all(m, b, 'withdrawn', 'cancelled')
  outbox.add(m, b.no, 'booking.cancelled', { by = a.by })
  gauge.add(m, 'count.cancelled', 1)
  return reply('CANCELLED')
end

local function reopened(m, a, b)
  booking.move(m, b, 'reopen', { 'deadline', a.deadline, 'paced_at', clock.now(), 'tried', 0, 'live', 0 })
  event.add(m, b.no, 'Reopened', { p = b.winner })
  local p, state = seats.get(m, b.no, b.winner), b.state
  b.state = 'cancelled'
  free_winner(m, a, b)
  b.state = state
  seats.close(m, b.no, b.winner, p, 'withdrawn', 'cancelled')
  call('HDEL', K.booking(m, b.no), 'winner', 'window', 'accepted_at')
  call('ZADD', K.due(m), clock.now(), b.no)
  outbox.add(m, b.no, 'booking.reopened', {})
  gauge.add(m, 'count.reopened', 1)
  woken.worker = true
  return reply('REOPENED')
end

function verbs.cancel(m, a)
  local kept = K.request(m, a.rid)
  local before = ledger.recall(kept, 'cancel')
  if before then return before end
  local b = booking.get(m, a.bno)
  if (b.winner or 0) ~= a.winner then return reply('STALE') end
  local move, act = 'cancel', cancelled
  if a.by == 'provider' then move, act = 'reopen', reopened end
  local answer
  if MOVES[b.state][move] then answer = act(m, a, b) else answer = reply('WRONG_STATE', { state = b.state }) end
  return ledger.keep(kept, 'cancel', answer, clock.wall() + 86400000)
end
