-- follow_up: a provider suggests a service, or asks for a talk about his score: somebody of ops is to see to it.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, p, id, kind (service, talk), text (his words), print (of both), limit (open ones of his)}
-- Replies: SENT, TOO_MANY, MISMATCH; the first two are kept under the request id and returned to a repeat.
-- Source: SPEC.md R25b, P14b; PROTOCOL.md section 4.
local DAY = 86400000

function verbs.follow_up(m, a)
  local kept, print = K.request(m, a.p .. ':' .. a.id), redis.sha1hex('f' .. a.print)
  local before = ledger.recall(kept, print)
  if before then return before end
  if tonumber(call('HGET', K.provider(m, a.p), 'follow_ups') or 0) >= a.limit then
    return ledger.keep(kept, print, reply('TOO_MANY'), clock.wall() + DAY)
  end
  local number = call('HINCRBY', K.numbers(m), 'follow_up', 1)
  call('HSET', K.follow_ups(m), number, cmsgpack.pack({ a.p, a.kind, clock.now(), 0, '' }))
  if a.text ~= '' then call('HSET', K.follow_up_words(m), number, a.text) end
  call('ZADD', K.follow_ups_open(m), clock.now(), number)
  call('HINCRBY', K.provider(m, a.p), 'follow_ups', 1)
  event.note(m, 'FollowUpAsked', { p = a.p, number = number, kind = a.kind })
  gauge.add(m, 'follow_ups.open', 1)
  return ledger.keep(kept, print, reply('SENT'), clock.wall() + DAY)
end

-- follow_up_done: ARGV {m, number, by (id of the key that says so)}: it has been seen to. Replies: DONE, UNKNOWN
function verbs.follow_up_done(m, a)
  local raw = call('HGET', K.follow_ups(m), a.number)
  if not raw then return reply('UNKNOWN') end
  local one = cmsgpack.unpack(raw)
  if call('ZREM', K.follow_ups_open(m), a.number) == 0 then return reply('DONE') end -- somebody has said so already
  one[4], one[5] = clock.now(), a.by
  call('HSET', K.follow_ups(m), a.number, cmsgpack.pack(one))
  call('ZADD', K.follow_ups_done(m), one[4], a.number)
  call('HINCRBY', K.provider(m, one[1]), 'follow_ups', -1)
  event.note(m, 'FollowUpDone', { p = one[1], number = a.number })
  gauge.add(m, 'follow_ups.open', -1)
  return reply('DONE')
end
