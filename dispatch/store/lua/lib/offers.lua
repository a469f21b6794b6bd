-- Counteroffers: other times that a provider proposes for a booking (R24). Those of a booking are in K.counteroffers by number, as cmsgpack
-- arrays; of one provider at most the last is open (`held` or `shown`). In the booking's hash: `offers` those open, `held` of them,
-- `offer_no` the last number. They outlive a search that ends unfilled, and nothing else that ends one.
local O = { p = 1, state = 2, round = 3, made = 4, expires = 5, windows = 6, closed = 7, number = 8 }
local OPEN = { held = true, shown = true }

function offers.get(m, bno, number)
  local kept = call('HGET', K.counteroffers(m, bno), number)
  return kept and cmsgpack.unpack(kept)
end

local function put(m, bno, one) call('HSET', K.counteroffers(m, bno), one[O.number], cmsgpack.pack(one)) end

local function spans(one)
  local out = {}
  for i, window in ipairs(one[O.windows]) do out[i] = { start = window[1], ['end'] = window[2] } end
  return out
end

-- Every device of his is told how it stands; while it is open it is among what is open for him.
local function tell(m, b, one)
  local frame = inbox.push(m, one[O.p], 8, inbox.body('type', 'counter', 'proposal', seats.id(b.no, one[O.round], one[O.p]),
    'state', one[O.state], 'counteroffer', b.no .. '.' .. one[O.number], 'booking_id', call('HGET', K.who(m, b.no), 'booking_id') or null,
    'services', cmsgpack.unpack(b.services), 'windows', spans(one), 'expires_at', one[O.expires]))
  if OPEN[one[O.state]] then call('HSET', K.open(m, one[O.p]), 'c' .. b.no, frame)
  else call('HDEL', K.open(m, one[O.p]), 'c' .. b.no) end
end

-- How it stands now: one whose time is over has ended, though nobody may have come by to say so.
function offers.state(one)
  return OPEN[one[O.state]] and clock.now() >= one[O.expires] and 'expired' or one[O.state]
end

local function hook(m, b, one, name, data)
  data.p, data.counteroffer_id = one[O.p], b.no .. '.' .. one[O.number]
  outbox.add(m, b.no, name, data)
end

local function count(m, bno, state, by)
  for _, name in ipairs({ 'offers', state == 'held' and 'held' or nil }) do call('HINCRBY', K.booking(m, bno), name, by) end
end

local function shown(m, b, one)
  hook(m, b, one, 'booking.counteroffered', { windows = one[O.windows], expires_at = one[O.expires] })
end

-- What was held back is before the client now.
function offers.show(m, b, one)
  if one[O.state] ~= 'held' then return end
  one[O.state] = 'shown'
  put(m, b.no, one)
  call('HINCRBY', K.booking(m, b.no), 'held', -1)
  event.add(m, b.no, 'CounterofferShown', { p = one[O.p], offer = one[O.number] })
  tell(m, b, one)
  shown(m, b, one)
end

-- A new one: held back, or before the client at once. Returns its number.
function offers.add(m, b, pno, windows, expires, state)
  local number = call('HINCRBY', K.booking(m, b.no), 'offer_no', 1)
  local one = { pno, state, b.round, clock.now(), expires, windows, 0, number }
  put(m, b.no, one)
  count(m, b.no, state, 1)
  call('ZADD', K.counter_due(m), expires, b.no .. '.' .. number)
  tell(m, b, one)
  if state == 'shown' then shown(m, b, one) end
  return number
end

-- It ends as accepted, declined, expired or withdrawn; the client hears of it if it was before him.
function offers.close(m, b, one, state)
  local was = one[O.state]
  one[O.state], one[O.closed] = state, clock.now()
  put(m, b.no, one)
  count(m, b.no, was, -1)
  call('ZREM', K.counter_due(m), b.no .. '.' .. one[O.number])
  if state ~= 'accepted' then event.add(m, b.no, 'CounterofferClosed', { p = one[O.p], offer = one[O.number], state = state }) end
  tell(m, b, one)
  if was == 'shown' then hook(m, b, one, 'booking.counteroffer_closed', { state = state }) end
end
