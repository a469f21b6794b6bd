-- extend: nobody took a booking, and its search goes on with new deadlines. Who said no is not asked again; who had not answered may be.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, rid, bno, rev, ends (of the search for each window), hand or nil, reason}
-- Replies: EXTENDED {deadline}, HELD {owner (the name of whoever has it)}, WRONG_STATE {state}, STALE (it has moved since), MISMATCH; the
--          first is kept under rid for 24 h of wall time.
-- Source: SPEC.md R17; P4; decision 28.
local function extended(m, a, b)
  local deadline = math.min(unpack(a.ends))
  booking.move(m, b, 'extend', { 'deadline', deadline, 'ends', cmsgpack.pack(a.ends), 'paced_at', clock.now(), 'tried', 0, 'said_no', 0 })
  local line = hands.note(m, a, 'extend', { b = b.no })
  event.add(m, b.no, 'Extended', { deadline = deadline, audit = line })
  seats.ask_again(m, b, 'expired', 'expired', 'extended')
  booking.attend(m, b.no) -- windows that can no longer be met are dropped first
  outbox.add(m, b.no, 'booking.reopened', {})
  gauge.add(m, 'count.extended', 1)
  return reply('EXTENDED', { deadline = deadline })
end

function verbs.extend(m, a)
  local kept, print = K.request(m, a.rid), 'extend'
  local before = ledger.recall(kept, print)
  if before then return before end
  local b = booking.get(m, a.bno)
  if not booking.may(b, 'extend') then
    return hands.refusal(m, b)
  end
  if b.rev ~= a.rev then return reply('STALE') end
  return ledger.keep(kept, print, extended(m, a, b), clock.wall() + 86400000)
end
