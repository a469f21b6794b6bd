-- Alarms: bookings that want a human, one list for all of a market. Of a visit (no_show, late) there is one a booking, and it ends when the
-- booking moves on; `overdue` is of one that ops have in their hands.

function alarm.raise(m, kind, bno, since)
  gauge.add(m, 'alarms.' .. kind, call('ZADD', K.alarms(m), since, kind .. ':' .. bno))
end

function alarm.calm(m, kind, bno)
  gauge.add(m, 'alarms.' .. kind, -call('ZREM', K.alarms(m), kind .. ':' .. bno))
end

-- Ops are called to its visit: `kind` is no_show or late.
function alarm.ring(m, b, kind)
  alarm.ends(m, b)
  call('HSET', K.booking(m, b.no), 'alarm', kind)
  alarm.raise(m, kind, b.no, clock.now())
  gauge.add(m, 'count.alarms', 1)
  b.alarm = kind
end

function alarm.ends(m, b)
  if not b.alarm then return end
  call('HDEL', K.booking(m, b.no), 'alarm')
  alarm.calm(m, b.alarm, b.no)
  b.alarm = nil
end
