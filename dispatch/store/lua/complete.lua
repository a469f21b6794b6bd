-- complete: the visit took place. The facts that tiers, scores and payouts begin from are written down.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, rid, bno}
-- Replies: COMPLETED, WRONG_STATE {state}, HELD {owner}, TOO_EARLY {from (ms): it has not begun}, MISMATCH; the first two are kept under
--          rid for 24 h of wall time.
-- Source: SPEC.md R26, R27, R38; P4.
local function completed(m, b, visit)
  alarm.ends(m, b)
  booking.move(m, b, 'complete')
  booking.tell(m, b, b.winner, visit)
  event.add(m, b.no, 'Completed', { p = b.winner, client = b.client, visit = visit, price = tonumber(b.price), currency = b.currency })
  served.add(m, b.winner, b.client)
  gauge.add(m, 'count.completed', 1)
  return reply('COMPLETED')
end

function verbs.complete(m, a)
  local kept, print = K.request(m, a.rid), redis.sha1hex('complete ' .. a.bno)
  local before = ledger.recall(kept, print)
  if before then return before end
  local b = booking.get(m, a.bno)
  local visit = b.winner and b.spans[b.window + 1]
  local answer
  if not booking.may(b, 'complete') then answer = hands.refusal(m, b)
  elseif clock.now() < visit[1] then return reply('TOO_EARLY', { from = visit[1] })
  else answer = completed(m, b, visit) end
  return ledger.keep(kept, print, answer, clock.wall() + 86400000)
end
