-- Walking the bits of a net. A call into the store costs as much as a dozen lines of Lua, so bitmaps are read a block at a time, gaps are
-- jumped with BITPOS, and in a dense net the records of neighbouring slots are read together.
local SIZE, WHOLE = 32, 2048
local BITS, HAS = {}, {} -- by byte: the positions of its set bits, as a list and as a set
for byte = 0, 255 do
  BITS[byte], HAS[byte] = {}, {}
  for i = 0, 7 do
    local mask = 2 ^ (7 - i)
    if byte % (2 * mask) >= mask then
      BITS[byte][#BITS[byte] + 1] = i
      HAS[byte][i] = true
    end
  end
end

-- What a walk over bitmap `key` (with `size` bits set) remembers: the block of bytes it stands in (as numbers), its last jump, records.
function net.steps(m, q, key, size, doubt)
  local gap, chunk, whole = q.full / size, 1, false -- bytes of the net a bit
  if gap < 2 then chunk = 128 elseif gap < 6 then chunk = 64 elseif gap < 12 then chunk = 16
  else whole = q.full <= WHOLE end
  local width = whole and q.full or math.max(8, gap < 32 and math.min(256, math.ceil(gap * 8)) or 8)
  return { m = m, key = key, doubt = doubt, width = width, whole = whole, dense = whole or gap < 4, first = 0, past = 0,
    from = math.huge, to = -1, base = 0, stop = 0, text = '', chunk = chunk }
end

-- The first byte with a bit set from `at` on; nil: none.
local function jump(s, at)
  if at < s.from or s.to >= 0 and at > s.to then
    local bit_at = call('BITPOS', s.key, 1, at)
    s.from, s.to = at, bit_at >= 0 and (bit_at - bit_at % 8) / 8 or -1
  end
  return s.to >= 0 and s.to or nil
end

local function load(s, at, stop)
  s.first, s.past = at, math.min(at + s.width, stop)
  if s.whole then s.first, s.past = 0, s.width end
  s.bytes = { string.byte(call('GETRANGE', s.key, s.first, s.past - 1), 1, -1) }
  s.doubted = s.doubt and { string.byte(call('GETRANGE', s.doubt, s.first, s.past - 1), 1, -1) }
end

-- The record of a slot: a text and where in it the record begins.
local function read_records(s, slot)
  local base = slot - slot % s.chunk
  local key, at = record.at(s.m, base)
  s.base, s.stop, s.text = base, base + s.chunk, call('GETRANGE', key, at, at + s.chunk * SIZE - 1)
end

-- Calls `visit(slot, doubtful, text, pos)` for the bits of the bytes [at, stop) until it returns true; the record of the slot begins at
-- `pos` of `text`. Whether it did.
function net.walk(s, at, stop, visit)
  while at < stop do
    if at < s.first or at >= s.past then
      at = s.dense and at or jump(s, at)
      if not at or at >= stop then return false end
      load(s, at, stop)
    end
    local first, bytes, doubted = s.first, s.bytes, s.doubted
    for i = at - first + 1, math.min(stop, s.past) - first do
      local byte = bytes[i]
      if byte ~= 0 then
        local list, doubt, base = BITS[byte], doubted and HAS[doubted[i]], (first + i - 1) * 8
        for j = 1, #list do
          local slot = base + list[j]
          if slot < s.base or slot >= s.stop then read_records(s, slot) end
          if visit(slot, doubt and doubt[list[j]], s.text, (slot - s.base) * SIZE + 1) then return true end
        end
      end
    end
    at = s.past
  end
  return false
end
