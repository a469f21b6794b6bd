-- receipt: a device says which proposals reached it, and which were on its screen.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, p, received = {{bno, round}...}, seen = {{bno, round}...}}
-- Replies: DONE {delays = ms from sent to received, one for each proposal first received now}
-- Source: SPEC.md R14, R22.
local function mark(m, a, bno, round, field, name)
  local p = seats.get(m, bno, a.p)
  if not p or p[S.round] ~= round or p[field] ~= 0 then return nil end
  p[field] = clock.now()
  seats.put(m, bno, a.p, p)
  event.add(m, bno, name, { p = a.p })
  gauge.add(m, field == S.seen and 'count.seen' or 'count.received', 1)
  return p[field] - p[S.sent]
end

function verbs.receipt(m, a)
  local delays = {}
  for _, list in ipairs({ a.received, a.seen }) do
    for _, which in ipairs(list) do delays[#delays + 1] = mark(m, a, which[1], which[2], S.received, 'Received') end
  end
  for _, which in ipairs(a.seen) do mark(m, a, which[1], which[2], S.seen, 'Seen') end
  return reply('DONE', { delays = delays })
end
