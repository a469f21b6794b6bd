-- receipt: devices say which proposals reached them, and which were on their screens (so they reached them too).
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, list {{pno, received {{bno, round}..}, seen {{bno, round}..}}..}}
-- Replies: DONE {delays = ms from sent to received, one for each proposal first received now}
-- Source: SPEC.md R14, R22.

-- The proposal, unless it is not his, or of another round.
local function his(m, pno, which)
  local p = seats.get(m, which[1], pno)
  return p and p[S.round] == which[2] and p or nil
end

-- Marks one of his proposals; the delay from sending, when this is the first word of it.
local function mark(m, pno, which, on_screen)
  local p = his(m, pno, which)
  if not p then return nil end
  local first = seats.received(m, which[1], pno, p)
  local shown = on_screen and seats.seen(m, which[1], pno, p)
  if first or shown then seats.put(m, which[1], pno, p) end
  return first and p[S.received] - p[S.sent] or nil
end

function verbs.receipt(m, a)
  local delays = {}
  for _, one in ipairs(a.list) do
    for _, which in ipairs(one[2]) do delays[#delays + 1] = mark(m, one[1], which, false) end
    for _, which in ipairs(one[3]) do delays[#delays + 1] = mark(m, one[1], which, true) end
  end
  return reply('DONE', { delays = delays })
end
