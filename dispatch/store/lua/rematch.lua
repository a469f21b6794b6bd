-- rematch: a provider who came online, was freed, or widened his settings meets the vacancies he fits, the most urgent first, and is asked
-- for as many as his cap allows. What a call has no time for is left for the next one.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, p, minute (local), latest (start: later ones respect quiet hours now), rows {{lead (ms, below; false: any), urgency,
--       live (ms), grace (ms)}..} as vacancies.py decided}
-- Replies: MET {asked {booking..}, waited (ms since he was woken), more (he is to be called again)}, IDLE (he does not wait)
-- Source: SPEC.md R2, R3, R12, R12b, R18; P5.
local function row_of(a, lead)
  for _, row in ipairs(a.rows) do
    if not row[1] or lead < row[1] then return row end
  end
end

-- He takes a seat of the wave that left last.
local function seat(m, b, r, a, windows, far)
  local now = clock.now()
  local row = row_of(a, tonumber(b.start) - now)
  local before = seats.get(m, b.no, r.pno) -- one that was taken from him, or had ended, and counts no more
  b.before = { [r.pno] = before and before[S.round] == b.round and before[S.state] or nil }
  local plan = { wave = math.max(1, b.wave), kind = 'seat', size = 1, due = now, ready = now, urgency = row[2],
    answer_by = math.min(now + row[3], b.deadline) }
  propose.send(m, b, { pno = r.pno, slot = r.slot, bucket = r.bucket, far = far, windows = windows }, plan, now)
  propose.record(m, b, plan, { r.pno }, now)
  call('HSET', K.booking(m, b.no), 'wave', plan.wave)
  call('HINCRBY', K.booking(m, b.no), 'rev', 1) -- who decided on it without him has decided in vain
  call('ZADD', K.due(m), 'LT', math.min(plan.answer_by, now + row[4]), b.no)
  vacancy.set(m, b, b.vacant - 1)
end

-- The numbers of the bookings he is asked for, and the rank to go on after (nil: he has met them all).
local function meet(m, r, a, room, from)
  local asked, gap = {}, read.market(m).gap
  local function look(bno)
    local brief = vacancy.brief(m, bno)
    if brief[9] > a.latest then return true end
    local windows, far = fits.alone(m, bno, brief, r, gap)
    local b = windows and booking.get(m, bno)
    if b and clock.now() < b.deadline then
      seat(m, b, r, a, windows, far)
      asked[#asked + 1] = bno
    end
    return #asked >= room
  end
  local more = vacancy.each(m, r, from, look)
  return asked, more
end

function verbs.rematch(m, a)
  local since = call('ZSCORE', K.freed(m), a.p)
  if not since then return reply('IDLE') end
  local askable, bucket, slot, live, met = unpack(call('HMGET', K.provider(m, a.p), 'askable', 'bucket', 'slot', 'live', 'met'))
  local asked, more = {}, nil
  if askable == '1' then
    local r = record.read(shelf.of(m, bucket), tonumber(slot))
    r.x = shelf.of(m, bucket)
    if r.flags == 0 or not fits.disturbed(a, r.dnd_from, r.dnd_to) then
      asked, more = meet(m, r, a, read.market(m).cap - tonumber(live), met or '-1')
    end
  end
  if more then call('HSET', K.provider(m, a.p), 'met', more) else
    call('ZREM', K.freed(m), a.p)
    call('HDEL', K.provider(m, a.p), 'met')
  end
  return reply('MET', { asked = asked, waited = clock.now() - tonumber(since), more = more ~= nil })
end

-- postpone: ARGV {m, p, wait (ms)}: something is wrong with him; the others go first. Replies: DONE
function verbs.postpone(m, a)
  if call('ZSCORE', K.freed(m), a.p) then call('ZADD', K.freed(m), clock.now() + a.wait, a.p) end
  return reply('DONE')
end
