-- refuse: a provider says no. It costs him nothing; when it was the last live answer, the next wave is owed at once;
-- by the policy `paced` any refusal may owe it.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, p, id, proposal, bno, round, version, reason (his words) or nil}
-- Replies: DONE {took (ms by R22) or nil: not in a repeat}, NOT_ASKED, VERSION_CONFLICT, MISMATCH; each but the last is kept under the
--          request id and returned to a repeat. A test proposal: see lib/trial.lua
-- Source: SPEC.md R13, R20, R22, R25b, R32, P14b; PROTOCOL.md section 2.
local function refusal(a, b, p)
  if not p or p[S.round] ~= a.round then return 'NOT_ASKED' end
  if b.version ~= a.version then return 'VERSION_CONFLICT' end
  if not seats.stands(p) then return p[S.state] == 'accepted' and 'NOT_ASKED' or 'DONE' end
  return nil
end

local function record_no(m, a, b, p)
  local took = seats.answered(m, b.no, a.p, p)
  seats.close(m, b.no, a.p, p, 'refused')
  if a.reason then call('HSET', K.who(m, b.no), 'no:' .. a.p, a.reason) end
  if p[S.kind] == 'bonus' then took = nil end -- neither a no nor silence to it counts anywhere (R32)
  event.add(m, b.no, 'Refused', { p = a.p, wave = p[S.wave], took = took })
  seats.tell_gone(m, b, a.p, p, 'answered_elsewhere')
  gauge.add(m, 'count.refused', 1)
  offers.close_his(m, b, a.p)
  if read.market(m).paced or tonumber(call('HGET', K.booking(m, b.no), 'live')) <= 0 then booking.attend(m, b.no) end
  return took
end

function verbs.refuse(m, a)
  local kept = K.request(m, a.p .. ':' .. a.id)
  local print = redis.sha1hex('r' .. a.proposal .. ':' .. a.version .. ':' .. (a.reason or ''))
  local before = ledger.recall(kept, print)
  if before then return before end
  if a.bno == trial.BOOKING then return ledger.keep(kept, print, trial.answer(m, a, 'refused'), clock.wall() + 600000) end
  silence.ends(m, a.p)
  local b = booking.get(m, a.bno)
  local p = b and seats.get(m, a.bno, a.p)
  local word, took = refusal(a, b, p), nil
  if not word then took = record_no(m, a, b, p) end
  ledger.keep(kept, print, reply(word or 'DONE'), b and booking.remembered(b) or clock.wall() + 600000)
  return reply(word or 'DONE', { took = took })
end
