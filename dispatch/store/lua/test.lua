-- test: a provider tries whether proposals reach him: one that stands for no booking goes the way of all (R25b); his earlier test ends.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, p, id, by_device (a device asks: a sign of life), life (ms), pause (ms since the last one), currency}
-- Replies: SENT {proposal}, TOO_SOON {after (ms)}, UNKNOWN, MISMATCH; the first is kept under the request id and returned to a repeat
-- Source: SPEC.md R25b, R40; PROTOCOL.md section 4.
local HOUR, DAY = 3600000, 86400000

-- What stands in for a booking: tomorrow, the first of his services, for nobody: clients are numbered from 1.
local function pretended(m, a, now)
  local profile = call('GET', K.profile(m, a.p))
  local services = profile and cmsgpack.unpack(profile).settings.catalogue or {}
  local start = now - now % HOUR + DAY
  return { no = trial.BOOKING, client = 0, version = 1, deadline = now + a.life, spans = { { start, start + HOUR } }, face_pairs = 6,
    face = inbox.body('booking_id', 'test', 'services', { services[1] }, 'area', null, 'price_cents', 0, 'currency', a.currency,
      'note', '') }
end

-- One receipt to come from each device that is there, and one from the push service of each that has an address.
local function receipts(m, pno)
  local rows = {}
  for _, device in ipairs(call('HKEYS', K.links(m, pno))) do rows[#rows + 1] = { 'socket', device, 0, 0, '' } end
  for _, device in ipairs(call('HKEYS', K.addresses(m, pno))) do rows[#rows + 1] = { 'push', device, 0, 0, '' } end
  return rows
end

local function send(m, a, round, now)
  local b = pretended(m, a, now)
  local p = { 'open', 0, 'test', round, now, b.deadline, 0, 0, 0, null, 0, 0, 0, -1, { 0 }, 0, '', receipts(m, a.p) }
  local frame, seq = propose.write(m, b, a.p, p)
  p[S.seq] = seq
  call('HSET', K.open(m, a.p), 't', frame)
  call('ZADD', K.trials(m), b.deadline, a.p)
  seats.put(m, trial.BOOKING, a.p, p)
  pushes.ask(m, b, a.p, 'test', round)
  event.note(m, 'TestSent', { p = a.p })
  gauge.add(m, 'count.tests', 1)
end

function verbs.test(m, a)
  local kept, print, now = K.request(m, a.p .. ':' .. a.id), redis.sha1hex('t'), clock.now()
  local before = ledger.recall(kept, print)
  if before then return before end
  if call('EXISTS', K.provider(m, a.p)) == 0 then return reply('UNKNOWN') end
  local last = seats.get(m, trial.BOOKING, a.p)
  if last and now - last[S.sent] < a.pause then return reply('TOO_SOON', { after = last[S.sent] + a.pause - now }) end
  if last and last[S.state] == 'open' then trial.close(m, a.p, last, 'expired', 'expired') end
  local round = (last and last[S.round] or 0) + 1
  send(m, a, round, now)
  if a.by_device then silence.ends(m, a.p) end
  return ledger.keep(kept, print, reply('SENT', { proposal = seats.id(trial.BOOKING, round, a.p) }), clock.wall() + 600000)
end

-- end_tests: ARGV {m, limit}: the next tests whose time is over end. Replies: DONE {ended}
function verbs.end_tests(m, a)
  local over = call('ZRANGEBYSCORE', K.trials(m), '-inf', clock.now(), 'LIMIT', 0, a.limit)
  for _, pno in ipairs(over) do trial.close(m, tonumber(pno), seats.get(m, trial.BOOKING, pno), 'expired', 'expired') end
  return reply('DONE', { ended = #over })
end
