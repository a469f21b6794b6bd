-- Walking the bits of a net. A call into the store costs as much as a dozen lines of Lua, so bitmaps are read a block at a time, gaps are
-- jumped with BITPOS, and in a dense net the records of neighbouring slots are read together.
local SIZE, WHOLE, BLOCK = 32, 2048, 256
local CLEAR = {} -- bytes without a bit
for i = 1, WHOLE do CLEAR[i] = 0 end
net.bits, net.has = {}, {} -- by byte: the positions of its set bits, as a list and as a set
for byte = 0, 255 do
  local bits, has = {}, {}
  for i = 0, 7 do
    local mask = 2 ^ (7 - i)
    if byte % (2 * mask) >= mask then
      bits[#bits + 1] = i
      has[i] = true
    end
  end
  net.bits[byte], net.has[byte] = bits, has
end

-- What a walk over bitmap `key` (with `size` bits set) remembers: the block of bytes it stands in (as numbers), its last jump, records.
function net.steps(m, q, key, size, doubt)
  local gap, chunk, whole = q.full / size, 1, false -- bytes of the net a bit
  if gap < 2 then chunk = 128 elseif gap < 6 then chunk = 64 elseif gap < 12 then chunk = 16
  else whole = q.full <= WHOLE end
  local width = whole and q.full or gap < 4 and BLOCK or gap < 32 and math.min(BLOCK, math.ceil(gap * 8)) or 8
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

-- Makes s.bytes (and s.doubted) hold the next bytes of [at, stop), from s.first to before s.past; the byte to look at next, nil: no more.
function net.seek(s, at, stop)
  if at >= stop then return nil end
  if at >= s.first and at < s.past then return at end
  at = s.dense and at or jump(s, at)
  if not at or at >= stop then return nil end
  s.first, s.past = at, math.min(at + s.width, stop)
  if s.whole then s.first, s.past = 0, s.width end
  s.bytes = { string.byte(call('GETRANGE', s.key, s.first, s.past - 1), 1, -1) }
  s.doubted = s.doubt and { string.byte(call('GETRANGE', s.doubt, s.first, s.past - 1), 1, -1) } or CLEAR
  return at
end

-- The records around a slot: the first slot of them, the slot after them, and the text.
function net.records(s, slot)
  if slot < s.base or slot >= s.stop then
    local base = slot - slot % s.chunk
    local key, at = record.at(s.m, base)
    s.base, s.stop, s.text = base, base + s.chunk, call('GETRANGE', key, at, at + s.chunk * SIZE - 1)
  end
  return s.base, s.stop, s.text
end

-- Calls `visit(slot, text, pos)` for the bits of the bytes [at, stop) until it returns true; the record begins at `pos` of `text`.
function net.walk(s, at, stop, visit)
  local bits, none = net.bits, net.bits[0]
  at = net.seek(s, at, stop)
  while at do
    local first, bytes = s.first, s.bytes
    for i = at - first + 1, math.min(stop, s.past) - first do
      local byte, list, base = bytes[i], none, 0
      if byte ~= 0 then list, base = bits[byte], (first + i - 1) * 8 end
      for j = 1, #list do
        local from, _, text = net.records(s, base + list[j])
        if visit(base + list[j], text, (base + list[j] - from) * SIZE + 1) then return end
      end
    end
    at = net.seek(s, s.past, stop)
  end
end
