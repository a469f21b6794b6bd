-- Writing one provider into the bitmaps. A write is {template, bit, {part..}}: his bit in each of those bitmaps. What has no bitmap are his
-- facts: zone {kind, lat, lng, radius}, ring or nil, flags, dnd_from, dnd_to, regions, spans or nil.
local DIGITS, LIMIT, LOOK = {}, 0.0015, 16
for i = 0, 99 do DIGITS[i] = (i < 10 and '0' or '') .. i end

-- K.x_quarter, for many quarters in a row and one shelf after the other: turning a number into text costs as much as a call.
local top, heads
function index.quarter(x, quarter)
  local two = quarter % 100
  local rest = (quarter - two) / 100
  if rest ~= top then top, heads = rest, {} end
  local head = heads[x]
  if not head then
    head = K.x_quarter(x, rest)
    heads[x] = head
  end
  return head .. DIGITS[two]
end

-- Whether a call that began at `clock` (clock.busy) has had its time.
function index.over(begun)
  return clock.busy() - begun > LIMIT
end

-- Writes to slot `slot` of shelf `x` from {group, part} `at` on until all is written (nil) or the call has had its time (where to go on).
function index.write(x, slot, writes, at, begun)
  slot = tostring(slot)
  for g = at[1], #writes do
    local template, bit, parts = writes[g][1], tostring(writes[g][2]), writes[g][3]
    local name = template == 'x_quarter' and index.quarter or K[template]
    for i = g == at[1] and at[2] or 1, #parts do
      call('SETBIT', name(x, parts[i]), slot, bit)
      if i % LOOK == 0 and index.over(begun) then return { g, i + 1 } end
    end
  end
end

-- Nobody is at `slot` any more.
function index.leave(m, x, slot)
  call('SETBIT', K.x_askable(x), slot, 0)
  call('SETBIT', K.x_newcomer(x), slot, 0)
  call('SETBIT', K.x_approved(x), slot, 0)
  record.clear(m, x, slot)
end

-- The record of the slot, and what is too long for it. `answered`: how many proposals he has answered.
function index.facts(m, slot, pno, facts, asked, rank, fresh, answered)
  local z = facts.zone
  newcomers.mark(m, shelf.of(m, rank.bucket), slot, answered)
  record.write(m, slot, { pno = pno, asked = asked, kind = z.kind, flags = facts.flags, bucket = rank.bucket, dnd_from = facts.dnd_from,
    dnd_to = facts.dnd_to, lat = z.lat, lng = z.lng, radius = z.radius, score = math.floor(rank.score * 100 + 0.5) })
  if facts.ring then call('HSET', K.x_rings(m), pno, facts.ring) elseif not fresh then call('HDEL', K.x_rings(m), pno) end
  if facts.spans then call('HSET', K.x_spans(m), pno, facts.spans) elseif not fresh then call('HDEL', K.x_spans(m), pno) end
  if #facts.regions > 0 then call('SADD', K.regions(m), unpack(facts.regions)) end
end

-- What the index says of a provider depends on settings of the market; written under any but today's, it is no longer whole.
function index.based(m, basis)
  if read.market(m).basis ~= basis then call('HDEL', K.market(m), 'indexed') end
end

local READ, TYPE = { '>I1', '>I2', '>I3', '>I4' }, { 'u8', 'u16', 'u24', 'u32' }

-- Writes a row of bytes where its pieces {byte in the row, byte of the bitmap, length} belong, where nothing is yet: one of any length,
-- or many of at most four bytes. The length of the bitmap then.
function index.paint(key, row, pieces)
  if #pieces == 1 then return call('SETRANGE', key, pieces[1][2], row) end
  local command, n = { 'BITFIELD', key }, 2
  for i = 1, #pieces do
    local piece = pieces[i]
    local value = struct.unpack(READ[piece[3]], row, piece[1] + 1)
    if value > 0 then
      command[n + 1], command[n + 2], command[n + 3], command[n + 4] = 'SET', TYPE[piece[3]], piece[2] * 8, value
      n = n + 4
    end
  end
  if n > 2 then call(unpack(command, 1, n)) end
  return call('STRLEN', key)
end
