-- The index's fixed-size facts of a slot: 32 bytes in x_records.
--   pno u32, last asked (ms) f64, zone kind u8 (1 circle, 2 polygon, 3 areas), flags u8 (1: has do-not-disturb hours), from/to u16 (local
--   minutes), zone centre lat/lng i32 (1e-6 degrees), radius u32 (m), score x 100 u16
local FORMAT, SIZE = '<I4dBBHHi4i4I4H', 32

function record.parse(slot, text, pos)
  local r = { slot = slot }
  r.pno, r.asked, r.kind, r.flags, r.dnd_from, r.dnd_to, r.lat, r.lng, r.radius, r.score = struct.unpack(FORMAT, text, pos)
  return r
end

function record.read(m, slot)
  local text = call('GETRANGE', K.x_records(m), slot * SIZE, slot * SIZE + SIZE - 1)
  if #text < SIZE then return { pno = 0 } end -- a slot nobody has had yet
  return record.parse(slot, text, 1)
end

function record.write(m, slot, r)
  call('SETRANGE', K.x_records(m), slot * SIZE,
    struct.pack(FORMAT, r.pno, r.asked, r.kind, r.flags, r.dnd_from, r.dnd_to, r.lat, r.lng, r.radius, r.score))
end

function record.asked(m, slot, at)
  call('SETRANGE', K.x_records(m), slot * SIZE + 4, struct.pack('<d', at))
end

function record.clear(m, slot)
  call('SETRANGE', K.x_records(m), slot * SIZE, string.rep('\0', SIZE))
end

-- Whether the provider can be asked at all, from his own facts; flips his bit when that changes.
function record.refresh(m, pno)
  local key = K.provider(m, pno)
  local f = call('HMGET', key, 'slot', 'status', 'push', 'off', 'paused', 'live', 'askable')
  local cap = tonumber(call('HGET', K.market(m), 'cap'))
  local reachable = f[3] == '1' or call('EXISTS', K.links(m, pno)) == 1
  local askable = f[2] == 'approved' and reachable and f[4] ~= '1' and f[5] ~= '1' and (tonumber(f[6]) or 0) < cap
  if askable == (f[7] == '1') then return end
  call('HSET', key, 'askable', askable and 1 or 0)
  call('SETBIT', K.x_askable(m), f[1], askable and 1 or 0)
  gauge.add(m, 'providers.askable', askable and 1 or -1)
end
