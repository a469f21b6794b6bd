-- take_over: ops take a booking out of the engine's hands. From now on nobody but them moves it: its plan has no timer any more, everyone
-- who holds a proposal loses it, and its moments raise alarms. Who has won it keeps the visit, and is told.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, rid, bno, hand {key, name}, reason}
-- Replies: TAKEN_OVER, HELD {owner (the name of whoever has it)}, WRONG_STATE {state}, MISMATCH; the first is kept under rid for 24 h of
--          wall time.
-- Source: SPEC.md R80b, R83, R84; P3, P10.
local function take(m, a, b)
  local held = b.winner and b.spans[b.window + 1]
  local due = held and held[1] or b.deadline -- a visit that somebody has is overdue when it begins
  hands.take(m, a, b, due)
  booking.move(m, b, 'take_over')
  local line = hands.note(m, a, 'take_over', { b = b.no })
  event.add(m, b.no, 'TakenOver', { audit = line, due = due })
  seats.withdraw_all(m, b, 'withdrawn', 'taken_over', 'ops')
  if held then booking.tell(m, b, b.winner, held) end
  gauge.add(m, 'count.taken_over', 1)
end

function verbs.take_over(m, a)
  local kept, print = K.request(m, a.rid), 'take over'
  local before = ledger.recall(kept, print)
  if before then return before end
  local b = booking.get(m, a.bno)
  local owner = hands.another(m, b)
  if owner then return reply('HELD', { owner = owner }) end
  if b.state ~= 'taken_over' then -- else it is his already
    if not booking.may(b, 'take_over') then return reply('WRONG_STATE', { state = b.state }) end
    take(m, a, b)
  end
  return ledger.keep(kept, print, reply('TAKEN_OVER'), clock.wall() + 86400000)
end
