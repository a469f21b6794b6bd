-- cancel: the client or ops end a booking; the winner's own cancellation opens the search again.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, rid, bno, by (client, ops, provider), reason (his words), hand or nil, winner (as the caller saw it, 0: none), seen
--       (his version), working {quarters of his own hours around the visit}, ends (of the search that opens again, for each window)}
-- Replies: CANCELLED, REOPENED, HELD {owner (the name of who has taken it over)}, WRONG_STATE {state}, STALE (another winner, or he has
--          changed), MISMATCH; the first four are kept under rid for 24 h of wall time.
-- Source: SPEC.md R35, R36; P3, P4.
local function free_winner(m, a, b)
  local window = b.spans[b.window + 1]
  visits.free(m, b.winner, b.no, window, read.market(m).gap, a.working)
  booking.tell(m, b, b.winner, window)
end

local function cancelled(m, a, b)
  local held = b.state == 'accepted' or b.state == 'taken_over' and b.winner
  booking.move(m, b, 'cancel')
  event.add(m, b.no, 'Cancelled', { by = a.by })
  if held then free_winner(m, a, b) end
  seats.withdraw_all(m, b, 'withdrawn', 'cancelled')
  outbox.add(m, b.no, 'booking.cancelled', { by = a.by })
  gauge.add(m, 'count.cancelled', 1)
  return reply('CANCELLED')
end

local function reopened(m, a, b)
  local deadline = math.min(unpack(a.ends))
  booking.move(m, b, 'reopen', { 'deadline', deadline, 'ends', cmsgpack.pack(a.ends), 'paced_at', clock.now(), 'tried', 0 })
  event.add(m, b.no, 'Reopened', { p = b.winner, deadline = deadline })
  local p = seats.get(m, b.no, b.winner)
  b.state = 'cancelled' -- as he sees it
  free_winner(m, a, b)
  seats.close(m, b.no, b.winner, p, 'withdrawn', 'cancelled')
  call('HDEL', K.booking(m, b.no), 'winner', 'window', 'accepted_at')
  call('HSET', K.booking(m, b.no), 'said_no', 0)
  booking.attend(m, b.no)
  outbox.add(m, b.no, 'booking.reopened', {})
  gauge.add(m, 'count.reopened', 1)
  return reply('REOPENED')
end

function verbs.cancel(m, a)
  local kept, print = K.request(m, a.rid), 'cancel by ' .. a.by
  local before = ledger.recall(kept, print)
  if before then return before end
  local b = booking.get(m, a.bno)
  if (b.winner or 0) ~= a.winner then return reply('STALE') end
  if b.winner and tonumber(call('HGET', K.provider(m, b.winner), 'version')) ~= a.seen then return reply('STALE') end
  local move, act = 'cancel', cancelled
  if a.by == 'provider' then move, act = 'reopen', reopened end
  local answer, owner
  if booking.may(b, move) then
    answer = act(m, a, b)
    hands.note(m, a, 'cancel', { b = b.no })
    if a.reason ~= '' then call('HSET', K.who(m, b.no), 'cancel_reason', a.reason) end
  else
    owner = hands.another(m, b)
    answer = reply(owner and 'HELD' or 'WRONG_STATE', { owner = owner, state = b.state })
  end
  return ledger.keep(kept, print, answer, clock.wall() + 86400000)
end
