-- Alarms: bookings that want a human. One a booking; it ends when the booking moves on.

-- Ops are called to it: `kind` is no_show or late.
function alarm.ring(m, b, kind)
  alarm.ends(m, b)
  call('HSET', K.booking(m, b.no), 'alarm', kind)
  call('ZADD', K.alarms(m), clock.now(), b.no)
  gauge.add(m, 'alarms.' .. kind, 1)
  gauge.add(m, 'count.alarms', 1)
  b.alarm = kind
end

function alarm.ends(m, b)
  if not b.alarm then return end
  call('HDEL', K.booking(m, b.no), 'alarm')
  call('ZREM', K.alarms(m), b.no)
  gauge.add(m, 'alarms.' .. b.alarm, -1)
  b.alarm = nil
end
