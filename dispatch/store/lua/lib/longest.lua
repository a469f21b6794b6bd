-- A dense crowd is not walked: its people are taken in the order in which they have waited, and each is looked up in the net.
local MOST, PIECES = 200, 20
local TESTS = 1000 -- bits looked up at most, about
local UNIT = { [0] = 128, 64, 32, 16, 8, 4, 2, 1 }

-- Whether to do that: with a crowd wherever it can be done, else where it costs less than to compare all `n` of the net in `size` slots.
-- One is looked at in full for each that is wanted, the others as a bit; a bit costs a seventh of a look.
local function worth_it(want, n, size)
  return n > 0 and want * size <= n * TESTS and (n >= find.CROWD or want * (1.6 * n + 0.15 * size) < n * n)
end

-- The runs of slots with the net's bytes, the largest (they come last) first.
local function caught(q, runs)
  local parts = {}
  for i = #runs, 1, -1 do
    local first, stop = runs[i][1], runs[i][2]
    parts[#parts + 1] = { first, stop, call('GETRANGE', q.net, first / 8, stop / 8 - 1) }
  end
  return parts
end

local function holds(parts, slot, byte)
  for i = 1, #parts do
    local part = parts[i]
    local place = slot - part[1]
    if place >= 0 and slot < part[2] then
      local within = place % 8
      local unit = UNIT[within]
      return byte(part[3], (place - within) / 8 + 1) % (2 * unit) >= unit
    end
  end
  return false
end

-- The k of the bucket who were asked longest ago, never asked first, as {asked, number, slot, text, pos}; `n` of its `size` slots are in
-- the net. nil: they are better walked.
function find.longest(m, q, bucket, runs, k, n, size)
  if not worth_it(k, n, size) then return nil end
  local list, parts, at, key, byte, read = {}, caught(q, runs), 0, K.x_waiting(m, bucket), string.byte, struct.unpack
  for _ = 1, PIECES do
    local step = math.min(MOST, math.ceil((k - #list) * 1.25 * size / n))
    local members = call('ZRANGE', key, at, at + step - 1)
    for i = 1, #members do
      local slot = read('>I4', members[i], 5)
      if holds(parts, slot, byte) then
        local name, from = record.at(q.x, slot)
        local text = call('GETRANGE', name, from, from + record.SIZE - 1)
        local pno, asked, lat, lng, radius, kind = read(record.ZONED, text)
        local fray = q.frayed and call('GETBIT', q.frayed, slot) == 1
        if not q.out[pno] and find.settle(m, q, slot, pno, lat, lng, radius, kind, fray) then
          list[#list + 1] = { asked, pno, slot, text, 1 }
          if #list == k then return list end
        end
      end
    end
    at = at + #members
    if #members < step then return list end
  end
end
