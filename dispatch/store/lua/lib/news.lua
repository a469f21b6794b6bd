-- What a verb tells the world: events, gauges, webhooks, messages in inboxes, and the wake-ups at its end.

-- One event of a booking: on its timeline and in the market's stream when the verb ends. Codes and numbers only.
function event.add(_, bno, name, fields)
  fields.type, fields.at, fields.b = name, clock.now(), bno
  told[#told + 1] = fields
end

-- An event that belongs to no booking.
function event.note(_, name, fields)
  fields.type, fields.at = name, clock.now()
  told[#told + 1] = fields
end

-- Writes the events of this call in their order; `seq` counts those of a booking.
local function record_events(m)
  local lists = {}
  for _, e in ipairs(told) do
    if e.b then lists[e.b] = (lists[e.b] or 0) + 1 end
  end
  for bno, n in pairs(lists) do lists[bno] = { seq = call('HINCRBY', K.booking(m, bno), 'events', n) - n } end
  for _, e in ipairs(told) do
    local list = lists[e.b or false]
    if list then e.seq = list.seq + #list + 1 end
    local blob = cmsgpack.pack(e)
    if list then list[#list + 1] = blob end
    call('XADD', K.events(m), '*', 'e', blob)
  end
  for bno, list in pairs(lists) do call('RPUSH', K.timeline(m, bno), unpack(list)) end
end

function gauge.add(_, name, by)
  counted[name] = (counted[name] or 0) + by
end

-- The booking moves from one state to another (nil: it begins or ends there).
function gauge.booking(m, from, to, urgency)
  if from then gauge.add(m, 'bookings.' .. from, -1) end
  if to then gauge.add(m, 'bookings.' .. to, 1) end
  if from == 'searching' then gauge.add(m, 'searching.' .. urgency, -1) end
  if to == 'searching' then gauge.add(m, 'searching.' .. urgency, 1) end
end

-- An event the booking service must get; kept only while the market has somewhere to send it.
function outbox.add(m, bno, name, data)
  local of = read.market(m)
  if of.hook ~= '1' then return end
  local at = clock.now()
  local id = 'evt_' .. of.epoch .. '_' .. bno .. '_' .. call('HINCRBY', K.booking(m, bno), 'hooks', 1) -- no two markets share one
  call('RPUSH', K.outbox(m, bno), cmsgpack.pack({ id = id, type = name, at = at, data = data, attempts = 0, first = clock.wall() }))
  call('ZADD', K.outbox_due(m), 'NX', clock.wall(), bno)
  woken.hook = true
end

-- Appends one message to a provider's inbox. `body` is the message's msgpack pairs but `seq`, `pairs` their number.
function inbox.push(m, pno, pairs, body)
  local seq = call('HINCRBY', K.provider(m, pno), 'seq', 1)
  local frame = string.char(0x81 + pairs) .. '\163seq' .. cmsgpack.pack(seq) .. body
  call('XADD', K.inbox(m, pno), 'MAXLEN', 128, seq .. '-0', 'f', frame)
  woken[#woken + 1] = { pno, frame }
  return frame, seq
end

-- key, value, key, value ... as msgpack pairs.
function inbox.body(...)
  local out = { ... }
  for i = 1, #out do out[i] = cmsgpack.pack(out[i]) end
  return table.concat(out)
end

-- Before and after each verb.
function news.begin()
  woken, counted, told, market, instant = {}, {}, {}, nil, nil
end

local function record_gauges(m)
  local names, pairs_ = {}, {}
  for name, by in pairs(counted) do
    if by ~= 0 then names[#names + 1] = name end
  end
  if #names == 0 then return end
  local values = call('HMGET', K.gauges(m), unpack(names))
  for i, name in ipairs(names) do
    pairs_[2 * i - 1], pairs_[2 * i] = name, (tonumber(values[i]) or 0) + counted[name]
  end
  call('HSET', K.gauges(m), unpack(pairs_))
end

function news.flush(m)
  record_events(m)
  record_gauges(m)
  news.wake_gateways(m)
  local worker = (woken.timer and 't' or '') .. (woken.hook and 'h' or '')
  if worker ~= '' then call('SPUBLISH', K.due_wakes(m), worker) end
end
