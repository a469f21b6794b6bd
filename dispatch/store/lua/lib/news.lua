-- What a verb tells the world: events, gauges, webhooks, messages in inboxes, and the wake-ups at its end.

-- One event of a booking: on its timeline and in the market's stream. Codes and numbers only.
function event.add(m, bno, name, fields)
  fields.type, fields.at, fields.b = name, clock.now(), bno
  fields.seq = call('HINCRBY', K.booking(m, bno), 'events', 1)
  local blob = cmsgpack.pack(fields)
  call('RPUSH', K.timeline(m, bno), blob)
  call('XADD', K.events(m), '*', 'e', blob)
end

-- An event that belongs to no booking.
function event.note(m, name, fields)
  fields.type, fields.at = name, clock.now()
  call('XADD', K.events(m), '*', 'e', cmsgpack.pack(fields))
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
  local hook, epoch = unpack(call('HMGET', K.market(m), 'hook', 'epoch'))
  if hook ~= '1' then return end
  local at = clock.now()
  local id = 'evt_' .. epoch .. '_' .. bno .. '_' .. call('HINCRBY', K.booking(m, bno), 'hooks', 1) -- no two markets share one
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
  woken, counted, instant = {}, {}, nil
end

function news.flush(m)
  for name, by in pairs(counted) do
    if by ~= 0 then call('HINCRBY', K.gauges(m), name, by) end
  end
  news.wake_gateways(m)
  local worker = (woken.timer and 't' or '') .. (woken.hook and 'h' or '')
  if worker ~= '' then call('SPUBLISH', K.due_wakes(m), worker) end
end
