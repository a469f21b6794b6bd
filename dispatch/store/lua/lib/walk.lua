-- Walking the bits of a net. A call into the store costs as much as some twenty lines of Lua, so bitmaps are read a block at a time,
-- long gaps are jumped with BITPOS, and in a dense net the records of neighbouring slots are read together.
local BLOCK, GAP, SIZE = 2048, 8, 32
local BITS, MASK = {}, {} -- by byte: the positions of its set bits; by position: its bit
for byte = 0, 255 do
  BITS[byte] = {}
  for i = 0, 7 do
    MASK[i] = 2 ^ (7 - i)
    if byte % (2 * MASK[i]) >= MASK[i] then BITS[byte][#BITS[byte] + 1] = i end
  end
end

-- What a walk remembers: the block of bytes it stands in, the last jump, the records it read.
function net.steps(m, q)
  -- records read at once: about as many slots as hold two of the net
  local gap, chunk = call('STRLEN', q.net) * 8 / math.max(1, call('BITCOUNT', q.net)), 1
  if gap < 16 then chunk = 128 elseif gap < 50 then chunk = 64 elseif gap < 100 then chunk = 16 end
  return { first = 0, bytes = '', doubts = '', from = math.huge, to = -1, base = -1, text = '', records = K.x_records(m), chunk = chunk }
end

local function load_block(q, s, at)
  s.first = at - at % BLOCK
  s.bytes = call('GETRANGE', q.net, s.first, s.first + BLOCK - 1)
  s.doubts = call('GETRANGE', q.doubt, s.first, s.first + BLOCK - 1)
end

-- The first byte from `at` on, before `stop`, with a bit set; nil: none.
local function next_byte(q, s, at, stop)
  for byte = at, math.min(at + GAP, stop) - 1 do
    if byte >= s.first + #s.bytes or byte < s.first then break end
    if string.byte(s.bytes, byte - s.first + 1) ~= 0 then return byte end
  end
  if at < s.from or s.to >= 0 and at > s.to then
    local bit_at = call('BITPOS', q.net, 1, at)
    s.from, s.to = at, bit_at >= 0 and (bit_at - bit_at % 8) / 8 or -1
  end
  return s.to >= 0 and s.to < stop and s.to or nil
end

-- The record of a slot: a text and where in it the record begins.
local function text_of(s, slot)
  local base = slot - slot % s.chunk
  if s.base ~= base then
    s.base, s.text = base, call('GETRANGE', s.records, base * SIZE, (base + s.chunk) * SIZE - 1)
  end
  return s.text, (slot - base) * SIZE + 1
end

local function visit_byte(s, at, range, visit)
  local doubt = string.byte(s.doubts, at - s.first + 1) or 0
  for _, i in ipairs(BITS[string.byte(s.bytes, at - s.first + 1)]) do
    local slot = at * 8 + i
    if slot >= range[1] and slot < range[2] then
      local text, pos = text_of(s, slot)
      if not visit(slot, doubt ~= 0 and bit.band(doubt, MASK[i]) ~= 0, text, pos) then return false end
    end
  end
  return true
end

-- Calls `visit(slot, doubtful, text, pos)` for each bit of q.net in the ranges until it returns false; the record of the slot begins
-- at `pos` of `text`.
function net.walk(q, s, ranges, visit)
  for _, range in ipairs(ranges) do
    -- nothing between the last jump and where it led: most ranges of a sparse net end here
    local stop = math.ceil(range[2] / 8)
    local at = next_byte(q, s, (range[1] - range[1] % 8) / 8, stop)
    while at do
      if at < s.first or at >= s.first + #s.bytes then load_block(q, s, at) end
      if not visit_byte(s, at, range, visit) then return end
      at = at + 1 < stop and next_byte(q, s, at + 1, stop) or nil
    end
  end
end
