-- A booking as the verbs see it.

-- The booking's hash with its numbers as numbers, or nil.
function booking.get(m, bno)
  local b = read.hash(K.booking(m, bno))
  if not b.state then return nil end
  for _, name in ipairs({ 'rev', 'round', 'version', 'deadline', 'live', 'face_pairs', 'winner', 'window', 'wave', 'client', 'vacant',
    'decides_at' }) do
    b[name] = tonumber(b[name])
  end
  b.no, b.spans, b.ends = tonumber(bno), cmsgpack.unpack(b.windows), cmsgpack.unpack(b.ends)
  return b
end

-- Reads what of it can be erased: what it asks of the index (with the exact place), and what every holder sees (msgpack pairs).
function booking.load(m, b)
  if not b.query then
    local query, face = unpack(call('HMGET', K.who(m, b.no), 'query', 'face'))
    b.query, b.face = cmsgpack.unpack(query), face
  end
end

-- Moves it by the table of lifecycle.py; nil when it may not make that move (lib/hands.lua).
function booking.move(m, b, move, fields)
  local to = booking.may(b, move)
  if not to then return nil end
  if b.state == 'taken_over' then hands.let_go(m, b) end
  gauge.booking(m, b.state, to, b.urgency)
  b.state, b.rev = to, call('HINCRBY', K.booking(m, b.no), 'rev', 1)
  call('HSET', K.booking(m, b.no), 'state', to, unpack(fields or {}))
  if to ~= 'searching' then call('ZREM', K.due(m), b.no) end
  if to == 'cancelled' or to == 'completed' then call('SREM', K.bookings_of(m, b.client), b.no) end
  vacancy.set(m, b, 0)
  fair.owe(b)
  return to
end

-- Of what class it is from now on.
function booking.classify(m, b, urgency)
  if urgency == b.urgency then return end
  gauge.booking(m, b.state, nil, b.urgency)
  gauge.booking(m, nil, b.state, urgency)
  b.urgency = urgency
  call('HSET', K.booking(m, b.no), 'urgency', urgency)
end

-- Until when (wall ms) a stored answer about the booking is kept: ten minutes after its end.
function booking.remembered(b)
  local last = 0
  for _, w in ipairs(b.spans) do last = math.max(last, w[2]) end
  return clock.wall() + math.max(0, last - clock.now()) / CLOCK.speed + 600000
end

-- The booking's plan wants attention now, if it did not already.
function booking.attend(m, bno)
  call('ZADD', K.due(m), 'LT', clock.now(), bno)
  woken.timer = true
end
