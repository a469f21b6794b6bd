-- Walking the bits of a net. A call into the store costs as much as a dozen lines of Lua, so bitmaps are read a block at a time; where
-- bits are close together so are the records of neighbouring slots, and where they are far apart BITPOS jumps over the gaps.
local SIZE, BLOCK, CHUNK = 32, 128, 128
local MASK, NONE, ALL, bits = {}, {}, {}, {} -- bits: by byte, the positions of its set bits
for i = 0, 7 do MASK[i] = 2 ^ (7 - i) end
for i = 1, BLOCK do NONE[i], ALL[i] = 0, 255 end
for byte = 0, 255 do
  bits[byte] = {}
  for i = 0, 7 do
    if byte % (2 * MASK[i]) >= MASK[i] then bits[byte][#bits[byte] + 1] = i end
  end
end

local function far_apart(s, at, stop, visit)
  at = net.seek(s, at)
  while at < stop do
    local i = at - s.first + 1
    local list, doubt, fray = bits[string.byte(s.bytes, i)], string.byte(s.doubted, i) or s.others, string.byte(s.frayed, i) or 0
    for j = 1, #list do
      local slot = at * 8 + list[j]
      local key, pos = record.at(s.m, slot)
      if visit(slot, call('GETRANGE', key, pos, pos + SIZE - 1), 1, MASK[list[j]], doubt, fray) then return true end
    end
    at = net.seek(s, at + 1)
  end
  return false
end

local function block(key, first, past, otherwise)
  if not key then return otherwise end
  local bytes = { string.byte(call('GETRANGE', key, first, past - 1), 1, -1) }
  return #bytes > 0 and bytes or NONE
end

-- The bits of the bytes [first, past).
local function in_block(s, first, past, visit)
  local bytes, doubted, frayed = block(s.key, first, past), block(s.doubt, first, past, ALL), block(s.fray, first, past, NONE)
  local begin, stop, text = 0, 0, ''
  for i = 1, past - first do
    local byte = bytes[i]
    if byte ~= 0 then
      local list, doubt, fray, base = bits[byte], doubted[i], frayed[i], (first + i - 1) * 8
      if base >= stop then
        begin = base - base % CHUNK
        stop = begin + CHUNK
        local key, at = record.at(s.m, begin)
        text = call('GETRANGE', key, at, at + CHUNK * SIZE - 1)
      end
      for j = 1, #list do
        local slot = base + list[j]
        if visit(slot, text, (slot - begin) * SIZE + 1, MASK[list[j]], doubt, fray) then return true end
      end
    end
  end
  return false
end

-- Calls `visit(slot, text, pos, mask, doubt, fray)` for the bits in slots [at, stop), both on a byte, until it returns true; whether it
-- did. His record begins at `pos` of `text`; his bits in the bytes `doubt` and `fray` are at `mask`.
function net.walk(s, at, stop, visit)
  if not s.near then return far_apart(s, at / 8, stop / 8, visit) end
  for first = at / 8, stop / 8 - 1, BLOCK do
    if in_block(s, first, math.min(first + BLOCK, stop / 8), visit) then return true end
  end
  return false
end
