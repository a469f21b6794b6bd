-- Walking the bits of a net. A call into the store costs as much as a dozen lines of Lua, so bitmaps are read a block at a time; where
-- bits are close together so are the records of neighbouring slots.
local SIZE, BLOCK, CHUNK, SET = 32, 128, 256, '%Z'
local NONE, ALL, bits = {}, {}, {} -- bits: by byte, its set bits as {place in the byte, mask, place, mask..}
for i = 1, BLOCK do NONE[i], ALL[i] = 0, 255 end
for byte = 0, 255 do
  bits[byte] = {}
  for i = 0, 7 do
    local mask, list = 2 ^ (7 - i), bits[byte]
    if byte % (2 * mask) >= mask then list[#list + 1], list[#list + 2] = i, mask end
  end
end

local function far_apart(s, at, stop, visit)
  local x, byte_at, find = s.x, string.byte, string.find
  at = net.seek(s, at)
  while at < stop do
    local first = s.first
    local i, last = at - first + 1, math.min(stop, s.past) - first
    while i and i <= last do
      local doubted, frayed = net.known(s)
      local list, doubt, fray = bits[byte_at(s.bytes, i)], byte_at(doubted, i) or s.others, byte_at(frayed, i) or 0
      for j = 1, #list, 2 do
        local slot, mask, unsure = (first + i - 1) * 8 + list[j], list[j + 1], 0
        if doubt % (2 * mask) >= mask then unsure = fray % (2 * mask) >= mask and 2 or 1 end
        local key, pos = record.at(x, slot)
        if visit(slot, call('GETRANGE', key, pos, pos + SIZE - 1), 1, unsure) then return true end
      end
      i = find(s.bytes, SET, i + 1)
    end
    at = net.seek(s, first + last)
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
        begin, stop = base, math.min(base - base % CHUNK + CHUNK, past * 8)
        local key, at = record.at(s.x, begin)
        text = call('GETRANGE', key, at, at + (stop - begin) * SIZE - 1)
      end
      for j = 1, #list, 2 do
        local slot, mask, unsure = base + list[j], list[j + 1], 0
        if doubt % (2 * mask) >= mask then unsure = fray % (2 * mask) >= mask and 2 or 1 end
        if visit(slot, text, (slot - begin) * SIZE + 1, unsure) then return true end
      end
    end
  end
  return false
end

-- Calls `visit(slot, text, pos, unsure)` for the bits in slots [at, stop), both on a byte, until it returns true; whether it did. His
-- record begins at `pos` of `text`; `unsure`: 0 beyond doubt, 1 in doubt, 2 in doubt and in s.fray.
function net.walk(s, at, stop, visit)
  if not s.near then return far_apart(s, at / 8, stop / 8, visit) end
  for first = at / 8, stop / 8 - 1, BLOCK do
    if in_block(s, first, math.min(first + BLOCK, stop / 8), visit) then return true end
  end
  return false
end
