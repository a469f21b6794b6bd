-- Sending the proposals of one wave: finds the first `size` that fit and writes a message into the inbox of each.

-- The query of a booking, ready for fits.check: everyone asked in this round stays out (see lib/asked.lua).
function propose.query(m, b, plan, now)
  booking.load(m, b)
  local q, asked = b.query, seats.asked(m, b)
  q.minute, q.now, q.gap, q.order, q.earned = plan.minute, now, read.market(m).gap, plan.order, plan.earned
  return fits.prepare(m, q, asked)
end

-- What the provider sees of the windows: those that fit him.
local function shown(b, p)
  local out = {}
  for i, index in ipairs(p[S.windows]) do out[i] = { start = b.spans[index + 1][1], ['end'] = b.spans[index + 1][2] } end
  return out
end

-- Writes a proposal, new or changed, to every device of its provider: the message and its place in his stream.
function propose.write(m, b, pno, p)
  local far = p[S.far] >= 0 and math.floor(p[S.far] / 100 + 0.5) * 100 or null
  local facts = inbox.body('windows', shown(b, p), 'distance_m', far, 'known_client', served.knows(m, pno, b.client))
  return inbox.push(m, pno, 10, inbox.body('type', 'proposal', 'proposal', seats.id(b.no, p[S.round], pno),
    'version', b.version, 'at', clock.now(), 'expires_at', b.deadline, 'answer_by', p[S.answer_by], 'wave', p[S.wave],
    'kind', p[S.kind], 'reasons', propose.reasons(b, pno)) .. '\167booking' .. string.char(0x80 + 3 + b.face_pairs) .. b.face .. facts)
end

-- Shows a proposal, which is open from now on.
function propose.show(m, b, pno, p)
  booking.load(m, b)
  local frame, seq = propose.write(m, b, pno, p)
  call('HSET', K.open(m, pno), 'p' .. b.no, frame)
  p[S.seq] = seq
  seats.put(m, b.no, pno, p)
end

function propose.send(m, b, r, plan, now)
  propose.show(m, b, r.pno, { 'open', plan.wave, 'ordinary', b.round, now, plan.answer_by, 0, 0, 0, null, 0, 1, 0, r.far, r.windows, 0,
    plan.urgency, keen.asked(m, r, plan) })
  seats.supersede(m, b.before[r.pno])
  record.asked(m, r, now)
  seats.count(m, r.pno, 1)
  pushes.ask(m, b, r.pno, 'proposal', b.round)
end

-- Buckets that were crowded begin their next search where this crowd ended.
local function turn(m, crowded, chosen)
  for _, r in ipairs(chosen) do
    if crowded[r.bucket] then call('SETRANGE', K.x_turn(m), r.bucket * 4, struct.pack('<I4', crowded[r.bucket])) end
  end
end

-- `plan`: wave, size, answer_by, minute, due (when this wave was owed), ready (since when the sender could have sent it),
-- kind (wave or fill), order, earned (see find.by_quickness), ease, usual_ms (see keen.asked). Returns the numbers of those asked; with
-- `counting`, also the exact count of candidates (see tally.begin).
function propose.wave(m, b, plan, counting)
  local now = clock.now()
  local count = counting and tally.begin()
  local asked, chosen, crowded = {}, propose.choose(m, b, plan, count)
  turn(m, crowded, chosen)
  for _, r in ipairs(chosen) do
    if #r.windows > 0 then -- else the travel gap has just changed, and his place in the index has not yet
      asked[#asked + 1] = r.pno
      propose.send(m, b, r, plan, now)
    end
  end
  if #asked > 0 then propose.record(m, b, plan, asked, now) end
  vacancy.after(m, b, plan, #asked)
  return asked, count or {}
end

function propose.record(m, b, plan, asked, now)
  call('HINCRBY', K.booking(m, b.no), 'live', #asked)
  gauge.add(m, 'proposals.open', #asked)
  gauge.add(m, 'proposals.live', #asked)
  gauge.add(m, 'count.proposals', #asked)
  gauge.add(m, propose.COUNTS[plan.kind], 1)
  event.add(m, b.no, 'WaveSent', { wave = plan.wave, kind = plan.kind, asked = asked, due = plan.due, ready = plan.ready,
    answer_by = plan.answer_by, urgency = plan.urgency, drawn = plan.drawn, late = math.max(0, now - math.max(plan.due, plan.ready)) })
end
