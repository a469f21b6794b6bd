-- Sending the proposals of one wave: finds the first `size` that fit and writes a message into the inbox of each.

-- The query of a booking, ready for fits.check: everyone asked in this round stays out.
function propose.query(m, b, minute, now)
  local q, asked = cmsgpack.unpack(b.query), {}
  for pno, p in pairs(seats.all(m, b.no)) do
    if p[S.round] == b.round then asked[pno] = true end
  end
  q.minute, q.now = minute, now
  return fits.prepare(m, q, asked)
end

-- What the provider sees of the windows: those that fit him.
local function shown(q, windows)
  local out = {}
  for i, index in ipairs(windows) do out[i] = { start = q.windows[index + 1][1], ['end'] = q.windows[index + 1][2] } end
  return out
end

local function message(m, b, q, r, plan)
  local far = q.far and math.floor(r.far / 100 + 0.5) * 100 or null
  if r.kind == 3 then far = null end
  local facts = inbox.body('windows', shown(q, r.windows), 'distance_m', far, 'known_client', false)
  local booking = '\167booking' .. string.char(0x80 + 3 + b.face_pairs) .. b.face .. facts
  return 9, inbox.body('type', 'proposal', 'proposal', seats.id(b.no, b.round, r.pno), 'version', b.version,
    'expires_at', b.deadline, 'answer_by', plan.answer_by, 'wave', plan.wave, 'kind', 'ordinary', 'reasons', {}) .. booking
end

local function send(m, b, q, r, plan, now)
  local frame, seq = inbox.push(m, r.pno, message(m, b, q, r, plan))
  call('HSET', K.open(m, r.pno), 'p' .. b.no, frame)
  seats.put(m, b.no, r.pno, { 'open', plan.wave, 'ordinary', b.round, now, plan.answer_by, 0, 0, 0, null, seq, 1, 0,
    math.floor(r.far + 0.5), r.windows })
  call('HINCRBY', K.provider(m, r.pno), 'live', 1)
  record.asked(m, r.slot, now)
  record.refresh(m, r.pno)
end

-- Buckets that were crowded begin their next search where this crowd ended.
local function turn(m, crowded, chosen)
  for _, r in ipairs(chosen) do
    if crowded[r.bucket] then call('SETRANGE', K.x_turn(m), r.bucket * 4, struct.pack('<I4', crowded[r.bucket])) end
  end
end

-- `plan`: wave, size, answer_by, minute, due (when this wave was owed), ready (since when the sender could have sent it),
-- kind (wave or fill). Returns the numbers of those asked; with `counting`, also the exact count of candidates
-- as {n, slot to go on from}.
function propose.wave(m, b, plan, counting)
  local now = clock.now()
  local q = propose.query(m, b, plan.minute, now)
  q.far = true
  local count, from
  net.cast(m, q)
  if counting then count, from = tally.count(m, q, 0, 200) end
  local chosen, crowded = find.first(m, q, plan.size)
  net.drop(m, q)
  turn(m, crowded, chosen)
  local asked = {}
  for i, r in ipairs(chosen) do
    asked[i] = r.pno
    send(m, b, q, r, plan, now)
  end
  if #asked > 0 then propose.record(m, b, plan, asked, now) end
  return asked, count, from
end

function propose.record(m, b, plan, asked, now)
  call('HINCRBY', K.booking(m, b.no), 'live', #asked)
  gauge.add(m, 'proposals.open', #asked)
  gauge.add(m, 'proposals.live', #asked)
  gauge.add(m, 'count.proposals', #asked)
  gauge.add(m, plan.kind == 'wave' and 'count.waves' or 'count.fills', 1)
  event.add(m, b.no, 'WaveSent', { wave = plan.wave, kind = plan.kind, asked = asked, due = plan.due, ready = plan.ready,
    answer_by = plan.answer_by, urgency = plan.urgency, late = math.max(0, now - math.max(plan.due, plan.ready)) })
end
