-- hand_back: ops give a booking back to the engine. Who held it holds it again; else the search goes on at once with the time, windows and
-- providers that are left: those from whom the take-over took a proposal may be asked again, those who said no may not.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, rid, bno, hand {key, name}, any (may give back what another has), reason}
-- Replies: HANDED_BACK {state}, HELD {owner (the name of whoever has it)}, WRONG_STATE {state}, MISMATCH; the first is kept under rid for
--          24 h of wall time.
-- Source: SPEC.md R83, R84; P3, P10; decision 28.
local function to_holder(m, a, b)
  booking.move(m, b, 'assign')
  local line = hands.note(m, a, 'hand_back', { b = b.no })
  event.add(m, b.no, 'HandedBack', { audit = line, p = b.winner })
  booking.tell(m, b, b.winner, b.spans[b.window + 1])
end

local function to_search(m, a, b)
  local told_unfilled = b.taken_from == 'unfilled'
  booking.move(m, b, 'hand_back', { 'paced_at', clock.now(), 'tried', 0, 'said_no', 0 })
  local line = hands.note(m, a, 'hand_back', { b = b.no })
  event.add(m, b.no, 'HandedBack', { audit = line })
  seats.ask_again(m, b, 'withdrawn', 'taken_over', 'handed_back')
  booking.attend(m, b.no) -- deadlines that have passed meanwhile get their due first
  if told_unfilled then outbox.add(m, b.no, 'booking.reopened', {}) end
end

function verbs.hand_back(m, a)
  local kept, print = K.request(m, a.rid), 'hand back'
  local before = ledger.recall(kept, print)
  if before then return before end
  local b = booking.get(m, a.bno)
  if a.any then hand = b.owner or hand end
  if not booking.may(b, 'hand_back') then
    return hands.refusal(m, b)
  end
  if b.winner then to_holder(m, a, b) else to_search(m, a, b) end
  gauge.add(m, 'count.handed_back', 1)
  return ledger.keep(kept, print, reply('HANDED_BACK', { state = b.state }), clock.wall() + 86400000)
end
