-- What a walk over a bitmap remembers, and its next step.
local BLOCK, NEAR, RARE, SET = 2048, 12, 64, '%Z'

-- What a walk over bitmap `key` (with `size` bits set) remembers: the bitmaps that tell more of each (`doubt`, where nil means that all
-- are in doubt; frayed), the block it stands in (bytes s.first to before s.past), and the next byte that is not empty (s.to, seen from
-- s.from on). Bits are close together when there are fewer than NEAR bytes to each; where there are more than RARE, BITPOS jumps.
function net.steps(q, key, size, doubt)
  return { x = q.x, key = key, doubt = doubt, others = doubt and 0 or 255, fray = q.frayed, near = q.full < NEAR * size,
    full = q.full, rare = q.full > RARE * size,
    first = 0, past = 0, from = 1, to = 0, bytes = '' }
end

-- Reads the block that begins with byte `at`, or (`jump`) with the next byte that is not empty; false: there is none.
local function read_on(s, at, jump)
  if jump and at < s.full then
    local bit_at = call('BITPOS', s.key, 1, at)
    at = bit_at < 0 and s.full or (bit_at - bit_at % 8) / 8
  end
  if at >= s.full then return false end
  s.first, s.past = at, at + BLOCK
  s.bytes = call('GETRANGE', s.key, s.first, s.past - 1)
  s.doubted, s.frayed = nil, nil
  return true
end

-- What is known of those in the block at hand.
function net.known(s)
  if not s.doubted then
    s.doubted = s.doubt and call('GETRANGE', s.doubt, s.first, s.past - 1) or ''
    s.frayed = s.fray and call('GETRANGE', s.fray, s.first, s.past - 1) or ''
  end
  return s.doubted, s.frayed
end

-- The next byte with a bit from `at` on (math.huge: none); the block that it is in has been read then.
function net.seek(s, at)
  if at >= s.from and at <= s.to then return s.to end
  s.from, s.to = at, math.huge
  if at < s.first or at >= s.past then
    if not read_on(s, at, s.rare) then return s.to end
    at = s.first
  end
  local i = string.find(s.bytes, SET, at - s.first + 1)
  while not i do
    if not read_on(s, s.past, true) then return s.to end
    i = string.find(s.bytes, SET)
  end
  s.to = s.first + i - 1
  return s.to
end

-- Whether these runs of slots have a bit, where that is quick to tell; a walk would take the same step first.
function net.any(s, runs)
  if s.near then return true end
  for i = 1, #runs do
    if net.seek(s, runs[i][1] / 8) < runs[i][2] / 8 then return true end
  end
  return false
end
