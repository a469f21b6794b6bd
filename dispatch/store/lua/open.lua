-- open: a booking enters, and its first wave leaves in the same step unless it must wait.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, rid, print (of the request), booking_id, client_id, who {what can be erased}, query {..}, windows, ends (of the
--       search for each window), services, area, face (msgpack pairs every holder sees), face_pairs, price, currency, urgency, start,
--       deadline, override (ops' word, R10; then hand and reason too), seed (of its chances, R6), plan (first wave, or nil when it must
--       wait), due (next time it wants attention), minute, chosen (more fields: chosen pno, hold..) or nil, missed {p, reasons} (a chosen
--       one who cannot be asked) or nil}
-- Replies: OPENED {bno, asked, count, behind (of them, under-performing), from {shelf, slot} (where an unfinished count goes on), at,
--          deadline, urgency, direct {p, hold, reasons} or nil}, DUPLICATE, BLOCKED, MISMATCH; the first is kept under rid for 24 h of
--          wall time.
-- Source: SPEC.md R6, R7, R10-R12, R26-R28, R30, P4.
local function number_of(m, name, index, id)
  local no = call('HGET', index, id)
  if no then return tonumber(no) end
  no = call('HINCRBY', K.numbers(m), name, 1)
  call('HSET', index, id, no)
  return no
end

local function write(m, a, bno, cno)
  a.query.client = cno
  local flat = { 'booking_id', a.booking_id, 'client_id', a.client_id, 'query', cmsgpack.pack(a.query), 'face', a.face }
  for name, value in pairs(a.who) do
    flat[#flat + 1] = name
    flat[#flat + 1] = value
  end
  call('HSET', K.who(m, bno), unpack(flat))
  call('HSET', K.booking(m, bno), 'state', 'searching', 'rev', 1, 'round', 1, 'version', 1, 'urgency', a.urgency,
    'opened_at', clock.now(), 'paced_at', clock.now(), 'deadline', a.deadline, 'start', a.start, 'live', 0, 'wave', 0,
    'tried', a.plan and a.plan.kind ~= 'direct' and 1 or 0, 'said_no', 0, 'windows', cmsgpack.pack(a.windows),
    'ends', cmsgpack.pack(a.ends), 'services', cmsgpack.pack(a.services), 'area', cmsgpack.pack(a.area),
    'face_pairs', a.face_pairs, 'price', a.price, 'currency', a.currency, 'client', cno, 'seed', a.seed, unpack(a.chosen or {}))
  event.add(m, bno, 'Opened', { urgency = a.urgency, deadline = a.deadline, services = a.services, windows = a.windows,
    client = cno, override = a.override, seed = a.seed })
  if a.missed then event.add(m, bno, 'Missed', { p = a.missed.p, reasons = a.missed.reasons }) end
  gauge.booking(m, nil, 'searching', a.urgency)
  gauge.add(m, 'count.opened', 1)
end

local function first_wave(m, a, bno)
  local b = booking.get(m, bno)
  local plan = a.plan or { size = 0, minute = a.minute }
  plan.due = clock.now()
  local first, direct = plan, plan.kind == 'direct'
  if direct then first = { size = 0, minute = plan.minute, kind = 'direct' } end
  local asked, count = propose.wave(m, b, first, true)
  call('ZADD', K.due(m), a.due, bno)
  if direct then asked = propose.chosen(m, b, plan)
  elseif #asked > 0 then call('HSET', K.booking(m, bno), 'wave', plan.wave)
  elseif a.plan then propose.starve(m, b, plan.kind) end
  return asked, count
end

-- How it stands with the provider whom the client chose.
local function direct(m, a, bno)
  if not a.chosen then return nil end
  local reasons = a.missed and a.missed.reasons or a.plan and a.plan.one and a.plan.one.reasons or {}
  return { p = a.chosen[2], hold = tonumber(call('HGET', K.booking(m, bno), 'hold')), reasons = reasons }
end

function verbs.open(m, a)
  local kept = K.request(m, a.rid)
  local before = ledger.recall(kept, a.print)
  if before then return before end
  if call('HEXISTS', K.booking_ids(m), a.booking_id) == 1 then return reply('DUPLICATE') end
  local cno = number_of(m, 'client', K.client_ids(m), a.client_id)
  if call('HEXISTS', K.blacklist(m), cno) == 1 then return reply('BLOCKED') end
  local bno = call('HINCRBY', K.numbers(m), 'booking', 1)
  call('HSET', K.booking_ids(m), a.booking_id, bno)
  call('SADD', K.bookings_of(m, cno), bno)
  write(m, a, bno, cno)
  if a.override then hands.note(m, a, 'override', { b = bno }) end
  local asked, count = first_wave(m, a, bno)
  return ledger.keep(kept, a.print, reply('OPENED', { bno = bno, asked = #asked, count = count.n, behind = count.behind,
    from = count.from, at = clock.now(), deadline = a.deadline, urgency = a.urgency, direct = direct(m, a, bno) }), clock.wall() + 86400000)
end
