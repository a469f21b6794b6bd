-- accept: the one claim. Every win goes through here, whatever its cause.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, p, id, proposal, bno, round, version, window, cause (wave, or: ops: `given`, the proposal that assign.lua has made;
--       fair: `at`, when he claimed it; counteroffer: `offer`, number of that which the client accepts, and `cutoff`, ms before its
--       start, see lib/offering.lua)}
-- Replies: WON {booking, took (ms by R22) or nil: not in a repeat}, PENDING {decides_at, took} (lib/fair.lua), LOST, EXPIRED, CANCELLED,
--          ALREADY_YOURS, OVERLAP, VERSION_CONFLICT, NOT_ASKED, BAD_WINDOW, MISMATCH; each but the last two is kept under the request id
--          and returned to a repeat. Tests: trial.lua
-- Source: SPEC.md R11, R15, R16, R22-R24, R25b; P1, P3, P4, P5, P7.
local LATE = { LOST = true, CANCELLED = true, EXPIRED = true }

-- His other proposals that no longer fit beside the visit he won.
local function drop_overlapping(m, a, gap)
  seats.recall(m, a.p, 'overlap', function(other, p)
    local fit = false
    for _, index in ipairs(p[S.windows]) do fit = fit or not fits.overlap(m, a.p, other.spans[index + 1], gap) end
    return not fit
  end, gap)
end

local function win(m, a, b, p, index, window)
  local now, gap = clock.now(), read.market(m).gap
  if a.offer then index = offers.agree(m, b, a.offer, p, window) end
  booking.move(m, b, a.given and 'assign' or 'accept', { 'winner', a.p, 'window', index, 'accepted_at', now })
  local took = not a.given and seats.answered(m, b.no, a.p, p) or nil
  seats.close(m, b.no, a.p, p, 'accepted')
  visits.hold(m, a.p, b.no, window, gap)
  local cause = a.cause == 'wave' and p[S.kind] == 'direct' and 'direct' or a.cause
  event.add(m, b.no, 'Accepted', { p = a.p, cause = cause, window = index, wave = p[S.wave], took = took })
  seats.withdraw_all(m, b, 'withdrawn', 'taken')
  if not a.given then seats.tell_gone(m, b, a.p, p, 'answered_elsewhere') end
  local face = booking.tell(m, b, a.p, window)
  drop_overlapping(m, a, gap)
  outbox.add(m, b.no, 'booking.accepted', { p = a.p, window = window })
  gauge.add(m, 'count.accepted', 1)
  gauge.add(m, 'sum.accept_ms', now - tonumber(b.opened_at))
  return { booking = booking.as_map(face) }, took
end

-- Of those who answered too late; a claim that waited was in time, and a client is no provider.
local function note_late(m, a, b, no)
  if a.cause == 'fair' or a.offer then return end
  event.add(m, b.no, 'AcceptedTooLate', { p = a.p, outcome = no })
  gauge.add(m, 'count.accepts_late', 1)
end

function verbs.accept(m, a)
  local kept = K.request(m, a.p .. ':' .. a.id)
  local print = redis.sha1hex('a' .. a.proposal .. ':' .. a.version .. ':' .. a.window)
  local before = a.cause ~= 'fair' and ledger.recall(kept, print)
  if before and not fair.pending(before) then return before end
  if a.bno == trial.BOOKING then return ledger.keep(kept, print, trial.answer(m, a, 'accepted'), clock.wall() + 600000) end
  if a.cause == 'wave' then silence.ends(m, a.p) end
  local b = fair.current(m, a.bno)
  if before then return ledger.recall(kept, print) end
  local p = a.given or b and seats.get(m, a.bno, a.p)
  local no, index, window = (a.offer and offers.refusal or seats.refusal)(m, a, b, p)
  if no == 'BAD_WINDOW' then return reply(no) end
  if LATE[no] then note_late(m, a, b, no) end
  local fields, took, ends = {}, nil, not no and fair.ends(m, a, b)
  if ends then no, fields, took = 'PENDING', { decides_at = ends }, fair.claim(m, a, b, p, index, ends)
  elseif not no then fields, took = win(m, a, b, p, index, window) end
  ledger.keep(kept, print, reply(no or 'WON', fields), b and booking.remembered(b) or clock.wall() + 600000)
  fields.took = took
  return reply(no or 'WON', fields)
end
