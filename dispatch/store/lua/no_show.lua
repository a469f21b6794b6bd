-- no_show: somebody says that the provider did not come: ops are called. He keeps it until they decide, or the client cancels.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, rid, print (of the request), bno, by (client, ops), wait (ms after the start from which that can be said), reason}
-- Replies: DONE {state}, WRONG_STATE {state}, HELD {owner}, TOO_EARLY {from (ms)}, NOT_YOURS (see late), MISMATCH;
--          all but TOO_EARLY and the
--          last are kept under rid for 24 h of wall time.
-- Source: SPEC.md R23, R37; P4.

-- How long the visit has begun (ms; less than 0: it is to come); nil when nobody holds it.
local function since(b)
  return b.state == 'accepted' and clock.now() - b.spans[b.window + 1][1] or nil
end

-- Asked again: told the same; before the time: nothing is kept, as it will be right later.
local function once(m, a, decide)
  local kept = K.request(m, a.rid)
  local before = ledger.recall(kept, a.print)
  if before then return before end
  local b = booking.get(m, a.bno)
  local after = since(b)
  if after and a.by ~= 'provider' and after < a.wait then return reply('TOO_EARLY', { from = clock.now() - after + a.wait }) end
  return ledger.keep(kept, a.print, decide(m, a, b, after), clock.wall() + 86400000)
end

local function missed(m, a, b, after)
  if not booking.may(b, 'no_show') then return hands.refusal(m, b) end
  booking.move(m, b, 'no_show')
  booking.tell(m, b, b.winner, b.spans[b.window + 1])
  event.add(m, b.no, 'NoShow', { p = b.winner, by = a.by, after = after })
  if a.reason ~= '' then call('HSET', K.who(m, b.no), 'no_show_reason', a.reason) end
  alarm.ring(m, b, 'no_show')
  gauge.add(m, 'count.no_shows', 1)
  return reply('DONE', { state = b.state })
end

function verbs.no_show(m, a) return once(m, a, missed) end

-- Whether ops are to know: it is late by so much already, or will be by what was said.
local function alarming(a, after)
  return after >= a.wait or (a.minutes or 0) * 60000 >= math.max(1, a.wait)
end

local function late(m, a, b, after)
  if not after then return hands.refusal(m, b) end
  event.add(m, b.no, 'Late', { p = b.winner, by = a.by, after = after, minutes = a.minutes })
  if a.reason ~= '' then call('HSET', K.who(m, b.no), 'late_reason', a.reason) end
  if alarming(a, after) then alarm.ring(m, b, 'late') end
  if a.by == 'provider' then outbox.add(m, b.no, 'booking.late', { p = b.winner, minutes = a.minutes }) end
  gauge.add(m, 'count.late', 1)
  return reply('DONE', { state = b.state })
end

-- late: ARGV {m, rid, print, bno, by (client, ops, provider), wait, reason, minutes (late) or nil, p (his number, when his own device
-- says so) or nil}: the provider is, or will be, late. His own word may come before the start. Replies: as no_show
function verbs.late(m, a)
  if a.p then silence.ends(m, a.p) end
  return once(m, a, function(_, _, b, after)
    if a.p and (not after or b.winner ~= a.p) then return reply('NOT_YOURS') end
    return late(m, a, b, after)
  end)
end
