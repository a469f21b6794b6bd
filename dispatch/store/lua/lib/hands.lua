-- What is done by hand: whose a booking is while ops have it, and the audit log.
-- `hand` (see news.begin) is the key of whoever acts by hand in this call: the fence of P10 is that only its owner's moves a booking.

-- Whether a booking may make a move, by the table of lifecycle.py, and while ops have it by its owner's word alone: the state after it.
function booking.may(b, move)
  if b.state == 'taken_over' and b.owner ~= hand then return nil end
  return MOVES[b.state][move]
end

-- The name of whoever has it, unless it is he who calls.
function hands.another(m, b)
  if b.state ~= 'taken_over' or b.owner == hand then return nil end
  return call('HGET', K.who(m, b.no), 'owner') or b.owner
end

-- What is said when it may not make a move.
function hands.refusal(m, b)
  local owner = hands.another(m, b)
  return reply(owner and 'HELD' or 'WRONG_STATE', { owner = owner, state = b.state })
end

-- An act by hand goes to the audit log: its number, or nil when it was not by hand. `a`: what the verb was given, of it hand {key, name}
-- and reason (words); `fields`: codes and numbers.
function hands.note(m, a, what, fields)
  if not a.hand then return nil end
  local n = call('HINCRBY', K.numbers(m), 'audit', 1)
  fields.at, fields.by, fields.what = clock.now(), a.hand.key, what
  call('XADD', K.audit(m), n .. '-0', 'e', cmsgpack.pack(fields))
  call('HSET', K.audit_words(m), n, cmsgpack.pack({ name = a.hand.name, why = a.reason or '' }))
  return n
end

-- It is the caller's from now on, and overdue at `due`.
function hands.take(m, a, b, due)
  call('HSET', K.booking(m, b.no), 'owner', a.hand.key, 'taken_at', clock.now(), 'taken_from', b.state)
  call('HSET', K.who(m, b.no), 'owner', a.hand.name, 'owner_why', a.reason)
  call('ZADD', K.taken(m), due, b.no)
end

-- It is nobody's any more.
function hands.let_go(m, b)
  call('HDEL', K.booking(m, b.no), 'owner', 'taken_at', 'taken_from')
  call('HDEL', K.who(m, b.no), 'owner', 'owner_why')
  call('ZREM', K.taken(m), b.no)
  alarm.calm(m, 'overdue', b.no)
end
