-- The preferred hold: one provider who was chosen is asked alone, before the waves (R26-R28, R36).

-- What binds him: his account, his catalogue and blocks. Zone and hours do not. He must be reachable, as everybody (R14).
local function may_be_asked(m, b, pno, x, slot)
  local f = call('HMGET', K.provider(m, pno), 'status', 'push', 'off')
  if f[1] ~= 'approved' or f[3] == '1' then return false end
  if f[2] ~= '1' and call('EXISTS', K.links(m, pno)) == 0 then return false end
  for _, service in ipairs(b.query.services) do
    if call('GETBIT', K.x_service(x, service), slot) == 0 then return false end
  end
  return call('SISMEMBER', K.blocks(m, b.client), pno) == 0
end

-- The windows (indexes from 0) that do not overlap with a visit of his.
local function free_windows(m, b, pno)
  local out, gap = {}, read.market(m).gap
  for i, window in ipairs(b.spans) do
    if not fits.overlap(m, pno, window, gap) then out[#out + 1] = i - 1 end
  end
  return out
end

local function distance(q, r)
  return r.kind == 3 and -1 or math.floor(geometry.distance(r.lat, r.lng, q.lat, q.lng) + 0.5)
end

local function note(m, b, pno, answer_by, now)
  call('HINCRBY', K.booking(m, b.no), 'live', 1)
  gauge.add(m, 'proposals.open', 1)
  gauge.add(m, 'proposals.live', 1)
  gauge.add(m, 'count.proposals', 1)
  gauge.add(m, 'count.holds', 1)
  event.add(m, b.no, 'WaveSent', { wave = 0, kind = 'hold', asked = { pno }, due = now, ready = now, answer_by = answer_by,
    urgency = b.urgency, late = 0 })
end

-- Asks him, alone until `answer_by`; whether he could be asked. When he says no, or nothing of his confirms it within the grace, the waves
-- begin (waves.py).
function hold.offer(m, b, pno, answer_by)
  booking.load(m, b)
  local x, slot = shelf.place(m, pno)
  local windows, now = free_windows(m, b, pno), clock.now()
  if #windows == 0 or answer_by <= now or not may_be_asked(m, b, pno, x, slot) then return false end
  local r = record.read(x, slot)
  local far = distance(b.query, r)
  propose.show(m, b, pno, { 'open', 0, 'direct', b.round, now, answer_by, 0, 0, 0, null, 0, 1, 0, far, windows, 0, b.urgency })
  record.asked(m, { pno = pno, slot = slot, bucket = r.bucket }, now)
  seats.count(m, pno, 1)
  pushes.ask(m, b, pno, 'proposal', b.round)
  note(m, b, pno, answer_by, now)
  return true
end
