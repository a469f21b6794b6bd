-- receipt: devices say which proposals reached them, and which were on their screens (so they reached them too).
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, list {{pno, received {{bno, round, device}..}, seen {{bno, round, device}..}}..}}
-- Replies: DONE {received = ms from sending, for each proposal first received now; seen = ms from its receipt, for each first seen now}
-- Source: SPEC.md R14, R22, R25b.

-- The proposal, unless it is not his, or of another round.
local function his(m, pno, which)
  local p = seats.get(m, which[1], pno)
  return p and p[S.round] == which[2] and p or nil
end

-- Marks one of his proposals; the delays, where this is the first word of it.
local function mark(m, pno, which, on_screen, out)
  if which[1] == trial.BOOKING then return trial.mark(m, pno, which, on_screen) end
  local p = his(m, pno, which)
  if not p then return end
  if which[3] and p[S.state] == 'open' then pushes.heard(m, pno, which[1], which[3]) end
  local first = seats.received(m, which[1], pno, p)
  local shown = on_screen and seats.seen(m, which[1], pno, p)
  if first or shown then seats.put(m, which[1], pno, p) end
  if first then out.received[#out.received + 1] = p[S.received] - p[S.sent] end
  if shown then out.seen[#out.seen + 1] = p[S.seen] - p[S.received] end
end

function verbs.receipt(m, a)
  local out = { received = {}, seen = {} }
  for _, one in ipairs(a.list) do
    for _, which in ipairs(one[2]) do mark(m, one[1], which, false, out) end
    for _, which in ipairs(one[3]) do mark(m, one[1], which, true, out) end
  end
  return reply('DONE', out)
end
