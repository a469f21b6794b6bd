-- make_link: a provider gets a personal link: a code with which clients book him first. He must have completed a service.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, rid, p, code (fresh), most (links a provider)}
-- Replies: MADE {code}, NO_SERVICE, TOO_MANY, MISMATCH; the first is kept under rid for 24 h of wall time.
-- Source: SPEC.md R26; P4.
function verbs.make_link(m, a)
  local kept, print = K.request(m, a.rid), 'link of ' .. a.p
  local before = ledger.recall(kept, print)
  if before then return before end
  if (tonumber(call('HGET', K.provider(m, a.p), 'done')) or 0) < 1 then return reply('NO_SERVICE') end
  if call('SCARD', K.codes_of(m, a.p)) >= a.most then return reply('TOO_MANY') end
  call('HSET', K.codes(m), a.code, a.p)
  call('SADD', K.codes_of(m, a.p), a.code)
  event.note(m, 'LinkMade', { p = a.p })
  return ledger.keep(kept, print, reply('MADE', { code = a.code }), clock.wall() + 86400000)
end

-- drop_link: ARGV {m, code}: it is worth nothing any more. Replies: DROPPED, ABSENT
function verbs.drop_link(m, a)
  local pno = call('HGET', K.codes(m), a.code)
  if not pno then return reply('ABSENT') end
  call('HDEL', K.codes(m), a.code)
  call('SREM', K.codes_of(m, pno), a.code)
  event.note(m, 'LinkRevoked', { p = tonumber(pno) })
  return reply('DROPPED')
end
