-- report: a provider says that something is wrong with a proposal of his, or with its client; ops decide.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, p, id, proposal, bno, round, reason (his words)}
-- Replies: DONE, NOT_ASKED, MISMATCH; each but the last is kept under the request id and returned to a repeat
-- Source: SPEC.md R25, R40, P14b; PROTOCOL.md section 2.
local function record_it(m, a, b)
  call('HSET', K.who(m, b.no), 'report:' .. a.p, clock.now() .. ' ' .. a.reason)
  event.add(m, b.no, 'Reported', { p = a.p, client = b.client })
  outbox.add(m, b.no, 'proposal.reported', { p = a.p, proposal = a.proposal })
  gauge.add(m, 'count.reports', 1)
end

function verbs.report(m, a)
  local kept, print = K.request(m, a.p .. ':' .. a.id), redis.sha1hex('p' .. a.proposal .. ':' .. a.reason)
  local before = ledger.recall(kept, print)
  if before then return before end
  silence.ends(m, a.p)
  local b = a.bno ~= trial.BOOKING and booking.get(m, a.bno)
  local p = b and seats.get(m, a.bno, a.p)
  local his = p and p[S.round] >= a.round
  if his then record_it(m, a, b) end
  return ledger.keep(kept, print, reply(his and 'DONE' or 'NOT_ASKED'), b and booking.remembered(b) or clock.wall() + 600000)
end
