-- accept: the one claim. Every win goes through here, whatever its cause.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, p, id, proposal, bno, round, version, window, cause}
-- Replies: WON {booking, took (ms by R22) or nil: not in a repeat}, LOST, EXPIRED, CANCELLED, ALREADY_YOURS, OVERLAP, VERSION_CONFLICT,
--          NOT_ASKED, BAD_WINDOW, MISMATCH; each but the last two is kept under the request id and returned to a repeat. Tests: trial.lua
-- Source: SPEC.md R11, R15, R22, R23, R25b; P1, P3, P4, P5, P7.
local AFTER = { taken = 'LOST', cancelled = 'CANCELLED', expired = 'EXPIRED', overlap = 'OVERLAP', changed = 'VERSION_CONFLICT' }
local LATE = { LOST = true, CANCELLED = true, EXPIRED = true }

-- Whether he may not be sent to this client any more: his account has been closed, or one of them has blocked the other.
local function barred(m, a, b)
  local status = call('HGET', K.provider(m, a.p), 'status') -- `loading`: his settings are just being replaced
  return status == 'inactive' or status == 'pending' or call('SISMEMBER', K.blocks(m, b.client), a.p) == 1
end

local function refusal(m, a, b, p)
  if not p or p[S.round] ~= a.round or p[S.state] == 'refused' then return 'NOT_ASKED' end
  if p[S.state] == 'accepted' then return b.state == 'accepted' and 'ALREADY_YOURS' or 'CANCELLED' end
  if p[S.state] ~= 'open' then return AFTER[p[S.reason]] or 'NOT_ASKED' end
  if b.state ~= 'searching' then return 'LOST' end -- cannot be: whatever ends a search takes its proposals back
  if b.version ~= a.version then return 'VERSION_CONFLICT' end
  local index = p[S.windows][a.window + 1]
  if not index then return 'BAD_WINDOW' end
  if clock.now() >= b.ends[index + 1] then return 'EXPIRED' end
  if barred(m, a, b) then return 'NOT_ASKED' end
  local window = b.spans[index + 1]
  if fits.overlap(m, a.p, window, read.market(m).gap) then return 'OVERLAP' end
  return nil, index, window
end

-- His other proposals that no longer fit beside the visit he won.
local function drop_overlapping(m, a, gap)
  seats.recall(m, a.p, 'overlap', function(other, p)
    local fit = false
    for _, index in ipairs(p[S.windows]) do fit = fit or not fits.overlap(m, a.p, other.spans[index + 1], gap) end
    return not fit
  end)
end

local function win(m, a, b, p, index, window)
  local now, gap = clock.now(), read.market(m).gap
  booking.move(m, b, 'accept', { 'winner', a.p, 'window', index, 'accepted_at', now })
  local took = seats.answered(m, b.no, a.p, p)
  seats.close(m, b.no, a.p, p, 'accepted')
  visits.hold(m, a.p, b.no, window, gap)
  event.add(m, b.no, 'Accepted', { p = a.p, cause = a.cause, window = index, wave = p[S.wave], took = took })
  seats.withdraw_all(m, b, 'withdrawn', 'taken')
  seats.tell_gone(m, b, a.p, p, 'answered_elsewhere')
  local face = booking.tell(m, b, a.p, window)
  drop_overlapping(m, a, gap)
  outbox.add(m, b.no, 'booking.accepted', { p = a.p, window = window })
  gauge.add(m, 'count.accepted', 1)
  gauge.add(m, 'sum.accept_ms', now - tonumber(b.opened_at))
  return { booking = booking.as_map(face) }, took
end

function verbs.accept(m, a)
  local kept = K.request(m, a.p .. ':' .. a.id)
  local print = redis.sha1hex('a' .. a.proposal .. ':' .. a.version .. ':' .. a.window)
  local before = ledger.recall(kept, print)
  if before then return before end
  if a.bno == trial.BOOKING then return ledger.keep(kept, print, trial.answer(m, a, 'accepted'), clock.wall() + 600000) end
  local b = booking.get(m, a.bno)
  local p = b and seats.get(m, a.bno, a.p)
  local no, index, window = refusal(m, a, b, p)
  if no == 'BAD_WINDOW' then return reply(no) end
  if LATE[no] then
    event.add(m, b.no, 'AcceptedTooLate', { p = a.p, outcome = no })
    gauge.add(m, 'count.accepts_late', 1)
  end
  local fields, took = {}, nil
  if not no then fields, took = win(m, a, b, p, index, window) end
  ledger.keep(kept, print, reply(no or 'WON', fields), b and booking.remembered(b) or clock.wall() + 600000)
  fields.took = took
  return reply(no or 'WON', fields)
end
