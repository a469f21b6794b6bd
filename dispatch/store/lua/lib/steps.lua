-- What a walk over a bitmap remembers, and its next step.
local BLOCK, NEAR, SET = 128, 4, '[^%z]'

-- What a walk over bitmap `key` (with `size` bits set) remembers: the bitmaps that tell more of each (`doubt`, where nil means that all
-- are in doubt; frayed), the block it stands in (bytes s.first to before s.past), and the next byte that is not empty (s.to, seen from
-- s.from on). Bits are close together when there are fewer than NEAR bytes to each.
function net.steps(m, q, key, size, doubt)
  return { m = m, key = key, doubt = doubt, others = doubt and 0 or 255, fray = q.frayed, near = q.full < NEAR * size,
    first = 0, past = 0, from = 1, to = 0, bytes = '', doubted = '', frayed = '' }
end

-- The next byte with a bit from `at` on (math.huge: none); the block that it is in has been read then.
function net.seek(s, at)
  if at >= s.from and at <= s.to then return s.to end
  local past, i = at, nil
  if at >= s.first and at < s.past then past, i = s.past, string.find(s.bytes, SET, at - s.first + 1) end
  s.from, s.to = at, i and s.first + i - 1
  if i then return s.to end
  local bit_at = call('BITPOS', s.key, 1, past)
  s.to = bit_at < 0 and math.huge or (bit_at - bit_at % 8) / 8
  if bit_at >= 0 then
    s.first, s.past = s.to, s.to + BLOCK
    s.bytes = call('GETRANGE', s.key, s.first, s.past - 1)
    if s.doubt then s.doubted = call('GETRANGE', s.doubt, s.first, s.past - 1) end
    if s.fray then s.frayed = call('GETRANGE', s.fray, s.first, s.past - 1) end
  end
  return s.to
end

-- Whether a run of slots has no bit, where that is quick to tell.
function net.empty(s)
  if s.near then return function() return false end end
  return function(first, stop) return net.seek(s, first / 8) >= stop / 8 end
end
