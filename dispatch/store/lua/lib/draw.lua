-- Drawing newcomers evenly among all who fit (R6): by the booking's seed, out of their bits in the nets of all shelves.
local TRIES = 64

-- Takes those who stay out (asked in this round, blocked) out of a bitmap of the shelf at hand.
local function without(m, q, key)
  for _, place in ipairs(tally.places(m, q)) do
    if place[1] == q.x then call('SETBIT', key, place[2], 0) end
  end
  return key
end

-- Those of the net of each shelf who are newcomers: {shelf, bitmap, bytes, number}.. and how many in all.
local function nets(m, q)
  local parts, total = {}, 0
  for number = 0, SHELVES.count - 2 do
    local new = net.turn(m, q, number) and K.x_newcomer(q.x)
    if new and net.whole(q, new) then net.cast(m, q) end
    if q.size > 0 then
      local key = without(m, q, net.join('AND', net.scratch(m, q, 'new' .. number), { q.net, new }))
      local n = call('BITCOUNT', key)
      if n > 0 then parts[#parts + 1], total = { number, key, q.full, n }, total + n end
    end
  end
  return parts, total
end

-- Takes the n-th of them all out of his net: his slot; the query turns to his shelf.
local function take(m, q, parts, n)
  for _, part in ipairs(parts) do
    if n < part[4] then
      if q.x ~= shelf.at(m, part[1]) and net.turn(m, q, part[1]) then net.cast(m, q) end
      local slot = net.nth(part[2], part[3], n)
      call('SETBIT', part[2], slot, 0)
      part[4] = part[4] - 1
      return slot
    end
    n = n - part[4]
  end
end

-- matcher.drawn in Lua: the n-th draw of a booking.
local function lot(seed, n, among)
  return math.floor(tonumber(string.sub(redis.sha1hex(seed .. ':' .. n), 1, 8), 16) * among / 4294967296)
end

-- Whether he fits, looked at exactly; `list` is made of him then, as find.keep wants it.
local function looked_at(m, q, slot)
  local key, from = record.at(q.x, slot)
  local text = call('GETRANGE', key, from, from + record.SIZE - 1)
  local pno, asked, lat, lng, radius, kind = struct.unpack(record.ZONED, text)
  local fray = q.frayed and call('GETBIT', q.frayed, slot) == 1
  if not find.settle(m, q, slot, pno, lat, lng, radius, kind, fray) then return nil end
  return { { asked, pno, slot, text, 1 } }
end

-- `n` of the newcomers who fit, or all of them, in the order in which they were drawn. `b` counts its draws.
function newcomers.draw(m, q, b, n)
  local chosen, draws = {}, tonumber(b.draws) or 0
  q.places, q.work = nil, 0 -- more stay out than a count before knew
  net.begin(q)
  local parts, total = nets(m, q)
  for _ = 1, TRIES do
    if #chosen == n or total == 0 then break end
    draws = draws + 1
    local slot = take(m, q, parts, lot(b.seed or b.no, draws, total))
    total = total - 1
    local list = looked_at(m, q, slot)
    if list then find.keep(m, q, list, n, chosen) end
  end
  net.drop(q)
  if draws > (tonumber(b.draws) or 0) then call('HSET', K.booking(m, b.no), 'draws', draws) end
  return chosen
end
