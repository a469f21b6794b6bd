-- send_wave: one turn of a booking's plan, as waves.py decided it: stale proposals fade, seats of the undelivered are given
-- away, and `size` more providers are asked.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, bno, rev, fade {pno..}, replace {pno..}, plan or nil {wave, size, kind, answer_by, minute, due, ready,
--       urgency, order, earned, ease, usual_ms; kind direct: hold, one, why (see lib/named.lua)}, urgency, due (next time it
--       wants attention)}
-- Replies: SENT {asked, wave, late}, RESTED (nobody was to be asked), EMPTY (nobody fits, or not the chosen one), STALE (the booking has
--          moved since, or the chosen one has changed)
-- Source: SPEC.md R12-R14, R28, R30, P6.
local function fade(m, b, pnos)
  for _, pno in ipairs(pnos) do
    local p = seats.get(m, b.no, pno)
    seats.release(m, b.no, pno, p)
    seats.put(m, b.no, pno, p)
    event.add(m, b.no, 'Faded', { p = pno, delivered = p[S.received] > 0 })
    silence.grows(m, pno, p)
  end
end

local function replace(m, b, pnos)
  for _, pno in ipairs(pnos) do
    local p = seats.get(m, b.no, pno)
    p[S.replaced] = 1
    seats.put(m, b.no, pno, p)
    call('HINCRBY', K.booking(m, b.no), 'live', -1)
    event.add(m, b.no, 'Replaced', { p = pno })
  end
end

function verbs.send_wave(m, a)
  local b = booking.get(m, a.bno)
  if not b or b.state ~= 'searching' or b.rev ~= a.rev then return reply('STALE') end
  fade(m, b, a.fade)
  replace(m, b, a.replace)
  call('HINCRBY', K.booking(m, b.no), 'rev', 1)
  call('ZADD', K.due(m), a.due, b.no)
  booking.classify(m, b, a.urgency)
  if not a.plan then return reply('RESTED') end
  if a.plan.kind == 'direct' then return propose.direct(m, b, a.plan) end
  local asked = propose.wave(m, b, a.plan, false)
  local now = clock.now()
  if a.plan.kind == 'wave' then
    if b.tried ~= '1' then call('HSET', K.booking(m, b.no), 'began_at', now) end
    call('HSET', K.booking(m, b.no), 'paced_at', now, 'tried', 1, 'said_no', 0)
  end
  if #asked == 0 then propose.starve(m, b, a.plan.kind) end
  if #asked == 0 then return reply('EMPTY') end
  call('HSET', K.booking(m, b.no), 'wave', a.plan.wave, 'starving', 0)
  return reply('SENT', { asked = #asked, wave = a.plan.wave, late = math.max(0, now - math.max(a.plan.due, a.plan.ready)) })
end
