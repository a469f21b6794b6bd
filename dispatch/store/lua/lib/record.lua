-- The index's fixed-size facts of a slot: 32 bytes in x_records of its shelf, 4096 slots a key.
--   pno u32, last asked (ms) f64, zone centre lat/lng i32 (1e-6 degrees), radius u32 (m), zone kind u8 (1 circle, 2 polygon, 3 areas; +8:
--   has do-not-disturb hours), bucket u8, from/to u16 (local minutes), score x 100 u16
local FORMAT, SIZE, SLOTS = '<I4di4i4I4BBHHH', 32, 4096
record.SIZE, record.WAITING, record.ZONED = SIZE, '<I4d', '<I4di4i4I4BB' -- first fields: number, last asked; and zone, bucket

-- The key that holds the record of a slot, and where in it the record begins.
local beside, names
function record.at(x, slot)
  if x ~= beside then beside, names = x, {} end
  local within = slot % SLOTS
  local chunk = (slot - within) / SLOTS
  local key = names[chunk]
  if not key then
    key = K.x_records(x, chunk)
    names[chunk] = key
  end
  return key, within * SIZE
end

function record.parse(slot, text, pos)
  local pno, asked, lat, lng, radius, kind, bucket, from, to, score = struct.unpack(FORMAT, text, pos)
  return { slot = slot, pno = pno, asked = asked, kind = kind % 8, flags = kind >= 8 and 1 or 0, bucket = bucket, dnd_from = from,
    dnd_to = to, lat = lat, lng = lng, radius = radius, score = score }
end

function record.read(x, slot)
  local key, at = record.at(x, slot)
  local text = call('GETRANGE', key, at, at + SIZE - 1)
  if #text < SIZE then return { pno = 0 } end -- a slot nobody has had yet
  return record.parse(slot, text, 1)
end

local function waiting(pno, slot)
  return struct.pack('>I4I4', pno, slot)
end

function record.write(m, slot, r)
  call('ZADD', K.x_waiting(m, r.bucket), r.asked, waiting(r.pno, slot))
  local key, at = record.at(shelf.of(m, r.bucket), slot)
  call('SETRANGE', key, at, struct.pack(FORMAT, r.pno, r.asked, r.lat, r.lng, r.radius, r.kind + 8 * r.flags, r.bucket, r.dnd_from,
    r.dnd_to, r.score))
end

-- The provider of `r` (number, slot, bucket) is asked.
function record.asked(m, r, moment)
  local key, at = record.at(shelf.of(m, r.bucket), r.slot)
  call('SETRANGE', key, at + 4, struct.pack('<d', moment))
  call('ZADD', K.x_waiting(m, r.bucket), moment, waiting(r.pno, r.slot))
end

function record.clear(m, x, slot)
  local key, at = record.at(x, slot)
  local r = record.read(x, slot)
  if r.pno > 0 then call('ZREM', K.x_waiting(m, r.bucket), waiting(r.pno, slot)) end
  call('SETRANGE', key, at, string.rep('\0', SIZE))
end

-- Whether the provider can be asked at all, from his own facts; flips his bit when that changes.
function record.refresh(m, pno)
  local key = K.provider(m, pno)
  local f = call('HMGET', key, 'slot', 'status', 'push', 'off', 'paused', 'live', 'askable', 'bucket', 'flags')
  local cap = read.market(m).cap
  local reachable = f[3] == '1' or call('EXISTS', K.links(m, pno)) == 1
  local askable = f[2] == 'approved' and reachable and f[4] ~= '1' and f[5] ~= '1' and (tonumber(f[6]) or 0) < cap
  past.look(m, pno, f, reachable, cap)
  if askable == (f[7] == '1') then return end
  call('HSET', key, 'askable', askable and 1 or 0)
  call('SETBIT', K.x_askable(shelf.of(m, f[8])), f[1], askable and 1 or 0)
  gauge.add(m, 'providers.askable', askable and 1 or -1)
  if askable then vacancy.wake(m, pno) end
end
