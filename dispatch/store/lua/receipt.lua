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

-- Marks one of his proposals; the delay from sending, when this is the first word of it.
local function mark(m, a, which, on_screen)
  local p = his(m, a, which)
  if not p then return nil end
  local first = seats.received(m, which[1], a.p, p)
  local shown = on_screen and seats.seen(m, which[1], a.p, p)
  if first or shown then seats.put(m, which[1], a.p, p) end
  return first and p[S.received] - p[S.sent] or nil
end

function verbs.receipt(m, a)
  local delays = {}
  for _, which in ipairs(a.received) do delays[#delays + 1] = mark(m, a, which, false) end
  for _, which in ipairs(a.seen) do delays[#delays + 1] = mark(m, a, which, true) end
  return reply('DONE', { delays = delays })
end
