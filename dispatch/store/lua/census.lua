-- census: why providers are left out, slot by slot in rank order, a bounded number a call; writes nothing.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, query, minute, client_id or nil, at {shelf, extent (index from 0), slot in it}, limit}
-- Replies: COUNTED {counts {reason = n}, left {pno..} in rank order, at (nil: done)}
-- Source: SPEC.md R8: each is counted once, under the first filter, in the order of R2, that left him out.
local SHOWN = 50

-- Looks at slots first .. last, until the call has had its time; returns the slot to go on from.
local function look(m, q, out, first, last, begun)
  local cap = read.market(m).cap
  for slot = first, last do
    if slot % 8 == 0 and slot > first and index.over(begun) then return slot end
    local r = record.read(q.x, slot)
    local reason = r.pno > 0 and fits.reason(m, q, r, cap)
    if reason then
      out.counts[reason] = (out.counts[reason] or 0) + 1
      if #out.left < SHOWN then out.left[#out.left + 1] = r.pno end
    end
  end
  return last + 1
end

-- Goes through the extents of the shelf at hand from {shelf, extent, slot} on; how many more may be looked at, and whether that was all.
local function go_through(m, q, out, at, limit, begun)
  local map = call('GET', K.x_extents(q.x)) or ''
  net.hours(m, q)
  net.ragged(q)
  while at[2] * 9 < #map and limit > 0 do
    local _, first, stop = struct.unpack('<BI4I4', map, at[2] * 9 + 1)
    local from = first + at[3]
    local reached = look(m, q, out, from, math.min(stop, from + limit) - 1, begun)
    limit, at[3] = limit - (reached - from), reached - first
    if reached >= stop then at[2], at[3] = at[2] + 1, 0 end
    if index.over(begun) then break end -- after some of them: a caller gets on whatever the time
  end
  return limit, at[2] * 9 >= #map
end

function verbs.census(m, a)
  local q, out, begun, at, limit = a.query, { counts = {}, left = {} }, clock.busy(), a.at, a.limit
  q.minute, q.apart = a.minute, true
  if a.client_id then q.client = tonumber(call('HGET', K.client_ids(m), a.client_id)) end
  net.begin(fits.prepare(m, q))
  while at[1] < SHELVES.count and limit > 0 do
    local all = not net.turn(m, q, at[1])
    if not all then limit, all = go_through(m, q, out, at, limit, begun) end
    if all then at = { at[1] + 1, 0, 0 } end
    if index.over(begun) then break end
  end
  net.drop(q)
  if at[1] < SHELVES.count then out.at = at end
  return reply('COUNTED', out)
end
