-- census: why providers are left out, slot by slot in rank order, a bounded number a call; writes nothing.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, query, minute, client_id or nil, extent (index from 0), slot (in it), limit}
-- Replies: COUNTED {counts {reason = n}, left {pno..} in rank order, extent, slot (nil: done)}
-- Source: SPEC.md R8: each is counted once, under the first filter, in the order of R2, that left him out.
local LATE = { asked = true, do_not_disturb = true }

local function offers(m, q, slot)
  for _, service in ipairs(q.services) do
    if call('GETBIT', K.x_service(m, service), slot) == 0 then return false end
  end
  return true
end

local function unaskable(m, pno, facts)
  if facts[2] ~= '1' and call('EXISTS', K.links(m, pno)) == 0 then return 'unreachable' end
  if facts[3] == '1' then return 'unreachable' end
  if facts[4] == '1' then return 'paused' end
  if tonumber(facts[5]) >= tonumber(call('HGET', K.market(m), 'cap')) then return 'cap' end
  return nil
end

local function reason_of(m, q, r)
  local facts = call('HMGET', K.provider(m, r.pno), 'status', 'push', 'off', 'paused', 'live')
  if facts[1] ~= 'approved' then return 'status' end
  if not geometry.covers(m, q, r) then return 'zone' end
  if not offers(m, q, r.slot) then return 'catalogue' end
  local windows, reason = fits.check(m, q, r)
  if not windows and not LATE[reason] then return reason end
  return unaskable(m, r.pno, facts) or (not windows and reason or nil)
end

function verbs.census(m, a)
  local q, out = a.query, { counts = {}, left = {}, extent = a.extent, slot = a.slot }
  q.minute = a.minute
  if a.client_id then q.client = tonumber(call('HGET', K.client_ids(m), a.client_id)) end
  fits.prepare(m, q)
  local map, limit = call('GET', K.x_extents(m)) or '', a.limit
  while out.extent * 9 < #map and limit > 0 do
    local _, first, stop = struct.unpack('<BI4I4', map, out.extent * 9 + 1)
    local last = math.min(stop - first, out.slot + limit) - 1
    for slot = first + out.slot, first + last do
      local r = record.read(m, slot)
      local reason = r.pno > 0 and reason_of(m, q, r)
      if reason then
        out.counts[reason] = (out.counts[reason] or 0) + 1
        if #out.left < 50 then out.left[#out.left + 1] = r.pno end
      end
    end
    limit, out.slot = limit - (last + 1 - out.slot), last + 1
    if first + out.slot >= stop then out.extent, out.slot = out.extent + 1, 0 end
  end
  if out.extent * 9 >= #map then out.extent = nil end
  return reply('COUNTED', out)
end
