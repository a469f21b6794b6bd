-- deliver: the next webhooks to send, at most one a booking; each is lent for a while, so that a dead worker loses nothing.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, limit, lend (ms of wall time)}
-- Replies: DONE {list {{bno, event, the booking's outside id, that of the provider in it or nil}..}, version (of the market)}
-- Source: PROTOCOL.md (events to the booking service: at least once, in order per booking).
function verbs.deliver(m, a)
  local list = {}
  for _, bno in ipairs(call('ZRANGEBYSCORE', K.outbox_due(m), '-inf', clock.wall(), 'LIMIT', 0, a.limit)) do
    local head = call('LINDEX', K.outbox(m, bno), 0)
    if head then
      local event = cmsgpack.unpack(head)
      local profile = event.data and event.data.p and call('GET', K.profile(m, event.data.p))
      list[#list + 1] = { tonumber(bno), event, call('HGET', K.who(m, bno), 'booking_id'), profile and cmsgpack.unpack(profile).id }
      call('ZADD', K.outbox_due(m), clock.wall() + a.lend, bno)
    else call('ZREM', K.outbox_due(m), bno) end
  end
  return reply('DONE', { list = list, version = tonumber(call('HGET', K.market(m), 'version')) })
end

local function head_is(m, a)
  local head = call('LINDEX', K.outbox(m, a.bno), 0)
  return head and cmsgpack.unpack(head).id == a.id and cmsgpack.unpack(head)
end

-- delivered: ARGV {m, bno, id, dead}: the event is done with (dead: given up, kept aside). Replies: DONE, STALE
function verbs.delivered(m, a)
  local head = head_is(m, a)
  if not head then return reply('STALE') end
  if a.dead then call('XADD', K.dead(m), 'MAXLEN', 10000, '*', 'e', cmsgpack.pack(head), 'b', a.bno) end
  call('LPOP', K.outbox(m, a.bno))
  if call('EXISTS', K.outbox(m, a.bno)) == 1 then call('ZADD', K.outbox_due(m), clock.wall(), a.bno)
  else call('ZREM', K.outbox_due(m), a.bno) end
  gauge.add(m, a.dead and 'count.webhooks_dead' or 'count.webhooks', 1)
  return reply('DONE')
end

-- deferred: ARGV {m, bno, id, wait (ms)}: it did not arrive; once more later. Replies: DONE, STALE
function verbs.deferred(m, a)
  local head = head_is(m, a)
  if not head then return reply('STALE') end
  head.attempts = head.attempts + 1
  call('LSET', K.outbox(m, a.bno), 0, cmsgpack.pack(head))
  call('ZADD', K.outbox_due(m), clock.wall() + a.wait, a.bno)
  return reply('DONE')
end
