-- Events and gauges: noted while a verb works, written when it ends.

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
function event.write(m)
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

-- Adds what this call has counted to the fields of a hash: one read and one write, whatever their number.
function gauge.write(key, sums)
  local names, flat = {}, {}
  for name, by in pairs(sums) do
    if by ~= 0 then names[#names + 1] = name end
  end
  if #names == 0 then return end
  local values = call('HMGET', key, unpack(names))
  for i, name in ipairs(names) do
    flat[2 * i - 1], flat[2 * i] = name, (tonumber(values[i]) or 0) + sums[name]
  end
  call('HSET', key, unpack(flat))
end
