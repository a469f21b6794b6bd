-- alarm: the moments of bookings that ops have in their hands have come. Nothing changes but that ops are told.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, limit}
-- Replies: DONE {raised (how many)}
-- Source: SPEC.md P3 (after a take-over deadlines raise alarms and change nothing).
function verbs.alarm(m, a)
  local due = call('ZRANGEBYSCORE', K.taken(m), '-inf', clock.now(), 'WITHSCORES', 'LIMIT', 0, a.limit)
  for i = 1, #due, 2 do
    local bno, at = tonumber(due[i]), tonumber(due[i + 1])
    call('ZADD', K.taken(m), '+inf', bno) -- told once
    alarm.raise(m, 'overdue', bno, at)
    event.add(m, bno, 'Overdue', { due = at })
    gauge.add(m, 'count.overdue', 1)
  end
  return reply('DONE', { raised = #due / 2 })
end

-- audit: ARGV {m, hand {key, name}, what, reason or nil, p or nil}: something was done by hand that no other verb notes (R84).
-- Replies: DONE
function verbs.audit(m, a)
  hands.note(m, a, a.what, { p = a.p })
  return reply('DONE')
end
