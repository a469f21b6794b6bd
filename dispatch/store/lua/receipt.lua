-- receipt: a device says which proposals reached it, and which were on its screen (so they reached it too).
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, p, received = {{bno, round}...}, seen = {{bno, round}...}}
-- Replies: DONE {delays = ms from sent to received, one for each proposal first received now}
-- Source: SPEC.md R14, R22.

-- The proposal, unless it is not his, or of another round.
local function his(m, a, which)
  local p = seats.get(m, which[1], a.p)
  return p and p[S.round] == which[2] and p or nil
end

local function received(m, a, bno, p, delays)
  if p[S.received] ~= 0 then return end
  p[S.received] = clock.now()
  seats.put(m, bno, a.p, p)
  event.add(m, bno, 'Received', { p = a.p })
  gauge.add(m, 'count.received', 1)
  delays[#delays + 1] = p[S.received] - p[S.sent]
end

local function seen(m, a, bno, p)
  if p[S.seen] ~= 0 then return end
  p[S.seen] = clock.now()
  seats.put(m, bno, a.p, p)
  event.add(m, bno, 'Seen', { p = a.p })
  gauge.add(m, 'count.seen', 1)
end

function verbs.receipt(m, a)
  local delays = {}
  for _, which in ipairs(a.received) do
    local p = his(m, a, which)
    if p then received(m, a, which[1], p, delays) end
  end
  for _, which in ipairs(a.seen) do
    local p = his(m, a, which)
    if p then
      received(m, a, which[1], p, delays)
      seen(m, a, which[1], p)
    end
  end
  return reply('DONE', { delays = delays })
end
