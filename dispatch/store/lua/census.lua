-- census: why providers are left out, slot by slot in rank order, a bounded number a call; writes nothing.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, query, minute, client_id or nil, extent (index from 0), slot (in it), limit}
-- Replies: COUNTED {counts {reason = n}, left {pno..} in rank order, extent, slot (nil: done)}
-- Source: SPEC.md R8: each is counted once, under the first filter, in the order of R2, that left him out.
local SHOWN = 50

local function offers(m, q, slot)
  for _, service in ipairs(q.services) do
    if call('GETBIT', K.x_service(m, service), slot) == 0 then return false end
  end
  return true
end

-- nil when some window fits, else why the last one that failed did.
local function busy(m, q, r)
  local reason = 'hours'
  for i, window in ipairs(q.windows) do
    if fits.overlap(m, r.pno, window, q.gap) then reason = 'overlap'
    elseif fits.works(m, q, r.slot, r.pno, i) then return nil end
  end
  return reason
end

local function unaskable(m, pno, facts, cap)
  if facts[2] ~= '1' and call('EXISTS', K.links(m, pno)) == 0 then return 'unreachable' end
  if facts[3] == '1' then return 'unreachable' end
  if facts[4] == '1' then return 'paused' end
  return tonumber(facts[5]) >= cap and 'cap' or nil
end

local function reason_of(m, q, r, cap)
  local facts = call('HMGET', K.provider(m, r.pno), 'status', 'push', 'off', 'paused', 'live')
  if facts[1] ~= 'approved' then return 'status' end
  if not geometry.covers(m, q, r) then return 'zone' end
  if not offers(m, q, r.slot) then return 'catalogue' end
  local reason = busy(m, q, r) or q.out[r.pno] and 'blocked' or unaskable(m, r.pno, facts, cap)
  if reason then return reason end
  return r.flags == 1 and fits.disturbed(q, r.dnd_from, r.dnd_to) and 'do_not_disturb' or nil
end

-- Looks at slots first .. last, until the call has had its time; returns the slot to go on from.
local function look(m, q, out, first, last, begun)
  local cap = read.market(m).cap
  for slot = first, last do
    if slot % 8 == 0 and slot > first and index.over(begun) then return slot end
    local r = record.read(m, slot)
    local reason = r.pno > 0 and reason_of(m, q, r, cap)
    if reason then
      out.counts[reason] = (out.counts[reason] or 0) + 1
      if #out.left < SHOWN then out.left[#out.left + 1] = r.pno end
    end
  end
  return last + 1
end

function verbs.census(m, a)
  local q, out, begun = a.query, { counts = {}, left = {}, extent = a.extent, slot = a.slot }, clock.busy()
  q.minute, q.apart = a.minute, true
  if a.client_id then q.client = tonumber(call('HGET', K.client_ids(m), a.client_id)) end
  net.begin(m, fits.prepare(m, q))
  net.hours(m, q)
  local map, limit = call('GET', K.x_extents(m)) or '', a.limit
  while out.extent * 9 < #map and limit > 0 do
    local _, first, stop = struct.unpack('<BI4I4', map, out.extent * 9 + 1)
    local from = first + out.slot
    local at = look(m, q, out, from, math.min(stop, from + limit) - 1, begun)
    limit, out.slot = limit - (at - from), at - first
    if at >= stop then out.extent, out.slot = out.extent + 1, 0 end
    if index.over(begun) then break end -- after some of them: a caller gets on whatever the time
  end
  net.drop(m, q)
  if out.extent * 9 >= #map then out.extent = nil end
  return reply('COUNTED', out)
end
