-- clear_bookings: a blacklisted client's open bookings are called off, and those who hold visits of his are told; some in each call.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, client_id}
-- Replies: DONE {more}, ABSENT (he is not blacklisted)
-- Source: SPEC.md R29.
local MOST = 20 -- bookings seen to in one call

-- Its holder may give it back, and it costs him nothing.
local function release(m, b)
  call('HSET', K.booking(m, b.no), 'free', 1)
  local text = 'this client is no longer served here: you may cancel the visit, and it costs you nothing'
  inbox.notice(m, b.winner, 'client_blocked', text, call('HGET', K.who(m, b.no), 'booking_id'))
end

-- What is done about one booking of a blacklisted client; whether anything was.
local function see_to(m, b)
  if b.state == 'searching' then
    booking.call_off(m, b, {}, { by = 'ops', blocked = true })
    return true
  end
  if b.state ~= 'accepted' or b.free or b.spans[b.window + 1][1] <= clock.now() then return false end
  release(m, b)
  return true
end

function verbs.clear_bookings(m, a)
  local cno, n = call('HGET', K.client_ids(m), a.client_id), 0
  if not cno or call('HEXISTS', K.blacklist(m), cno) == 0 then return reply('ABSENT') end
  for _, bno in ipairs(call('SMEMBERS', K.bookings_of(m, cno))) do
    if see_to(m, booking.get(m, bno)) then n = n + 1 end
    if n == MOST then return reply('DONE', { more = true }) end
  end
  return reply('DONE', { more = false })
end
