-- bonus: what was found for a booking for which nobody is left: ops are told of it, or it is sent.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, bno, rev, count (how many would be asked), list (those to ask, in order, see lib/named.lua), plan {wave, size,
--       kind, answer_by, due, ready, urgency} or nil (ops are to be told), again (ms at which to look once more) or nil}
-- Replies: DONE {asked}, STALE (the booking has moved since)
-- Source: SPEC.md R12, R30-R32.

-- Told once a round, and again when there are others.
local function prepared(m, b, count)
  local mark = b.round .. ':' .. count
  if count == 0 or b.prepared == mark then return end
  call('HSET', K.booking(m, b.no), 'prepared', mark)
  event.add(m, b.no, 'BonusPrepared', { count = count })
end

function verbs.bonus(m, a)
  local b = booking.get(m, a.bno)
  if not b or b.state ~= 'searching' then
    call('ZREM', K.starved(m), a.bno) -- a case of nothing
    return reply('STALE')
  end
  if b.rev ~= a.rev then return reply('STALE') end
  if a.again then call('ZADD', K.starved(m), a.again, b.no) else call('ZREM', K.starved(m), b.no) end
  if not a.plan then prepared(m, b, a.count) end
  local asked = a.plan and propose.named(m, b, a.list, a.plan.size, a.plan) or {}
  if #asked > 0 then
    call('HINCRBY', K.booking(m, b.no), 'rev', 1)
    call('HSET', K.booking(m, b.no), 'wave', a.plan.wave, 'paced_at', clock.now(), 'tried', 1, 'said_no', 0)
    booking.attend(m, b.no)
  end
  return reply('DONE', { asked = #asked })
end

-- approve: ARGV {m, rid, print, bno, list {pno..}, by (a key), hand or nil, reason}: ops confirm who gets a bonus proposal.
--          Replies: APPROVED {list},
--          WRONG_STATE {state}, HELD {owner}, MISMATCH; kept under rid for 24 h of wall time.
local function approved(m, a, b)
  local all, known = b.approved and cmsgpack.unpack(b.approved) or {}, {}
  for _, pno in ipairs(all) do known[pno] = true end
  for _, pno in ipairs(a.list) do
    if not known[pno] then all[#all + 1] = pno end
  end
  call('HSET', K.booking(m, b.no), 'approved', cmsgpack.pack(all))
  if a.reason ~= '' then call('HSET', K.who(m, b.no), 'bonus_reason', a.reason) end
  hands.note(m, a, 'bonus', { b = b.no })
  event.add(m, b.no, 'BonusApproved', { approved = a.list, by = a.by })
  if b.starving == '1' then -- else the next wave that finds nobody comes to it
    call('ZADD', K.starved(m), clock.now(), b.no)
    woken.bonus = true
  end
  return reply('APPROVED', { list = a.list })
end

function verbs.approve(m, a)
  local kept = K.request(m, a.rid)
  local before = ledger.recall(kept, a.print)
  if before then return before end
  local b = booking.get(m, a.bno)
  local answer = b.state == 'searching' and approved(m, a, b) or hands.refusal(m, b)
  return ledger.keep(kept, a.print, answer, clock.wall() + 86400000)
end
