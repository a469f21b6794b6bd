-- Walking the bits of a net. A call into the store costs as much as a dozen lines of Lua, so bitmaps are read a block at a time, gaps are
-- jumped with BITPOS, and in a dense net the records of neighbouring slots are read together.
local SIZE, CHUNK = 32, 4096
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

-- What a walk over bitmap `key` (with `size` bits set) remembers: how much to read at once, its last jump, what it found, records read.
function net.steps(m, q, key, size, doubt)
  local gap, chunk = q.full / size, 1 -- bytes of the net a bit
  if gap < 2 then chunk = 128 elseif gap < 6 then chunk = 64 elseif gap < 12 then chunk = 16 end
  return { m = m, key = key, doubt = doubt, width = gap < 32 and math.max(8, math.min(256, math.ceil(gap * 8))) or 8, dense = gap < 4,
    from = math.huge, to = -1, slots = {}, doubts = {}, base = -1, text = '', chunk = chunk }
end

-- The first byte with a bit set from `at` on; nil: none.
local function jump(s, at)
  if at < s.from or s.to >= 0 and at > s.to then
    local bit_at = call('BITPOS', s.key, 1, at)
    s.from, s.to = at, bit_at >= 0 and (bit_at - bit_at % 8) / 8 or -1
  end
  return s.to >= 0 and s.to or nil
end

-- Fills s.slots and s.doubts with the next slots of [at, stop) (bytes). Returns how many, and the byte to go on from; nil: none left.
function net.block(s, at, stop)
  if not s.dense then at = jump(s, at) end
  if not at or at >= stop then return nil end
  local last = math.min(at + s.width, stop) - 1
  local bytes = { string.byte(call('GETRANGE', s.key, at, last), 1, -1) }
  local doubted = s.doubt and { string.byte(call('GETRANGE', s.doubt, at, last), 1, -1) }
  local n, slots, doubts = 0, s.slots, s.doubts
  for i = 1, #bytes do
    local byte = bytes[i]
    if byte ~= 0 then
      local list, first, doubt = BITS[byte], (at + i - 1) * 8, doubted and HAS[doubted[i] or 0]
      for j = 1, #list do
        n = n + 1
        slots[n] = first + list[j]
        doubts[n] = doubt and doubt[list[j]]
      end
    end
  end
  return n, last + 1
end

-- The record of a slot: a text and where in it the record begins.
function net.record(s, slot)
  local chunk = s.chunk
  if chunk == 1 then return record.text(s.m, slot), 1 end
  local base = slot - slot % chunk
  if s.base ~= base then
    local key, at = record.at(s.m, base)
    s.base, s.text = base, call('GETRANGE', key, at, math.min(at + chunk * SIZE, CHUNK * SIZE) - 1)
  end
  return s.text, (slot - base) * SIZE + 1
end
