-- Writing one provider into the bitmaps. `facts`: zone {kind, lat, lng, radius}, ring or nil, inside, rim, areas, services, flags,
-- dnd_from, dnd_to, first (quarter), quarters (bitmap, msb first), ragged {day..}, spans or nil.

local function each(m, template, parts, slot, bit)
  for _, part in ipairs(parts) do call('SETBIT', template(m, part), slot, bit) end
end

-- Sets or clears the bits of zone and catalogue.
function index.place(m, slot, facts, bit)
  each(m, K.x_inside, facts.inside, slot, bit)
  each(m, K.x_rim, facts.rim, slot, bit)
  each(m, K.x_area, facts.areas, slot, bit)
  each(m, K.x_service, facts.services, slot, bit)
end

-- Writes the quarters of his hours. On a fresh slot only those that are free need writing.
function index.hours(m, slot, facts, fresh)
  local at, quarters = 0, facts.quarters
  for i = 1, #quarters do
    local byte, bit = string.byte(quarters, i), 128
    for j = 0, 7 do
      local on = byte >= bit
      if on then byte = byte - bit end
      if on or not fresh then call('SETBIT', K.x_quarter(m, facts.first + at + j), slot, on and 1 or 0) end
      bit = bit / 2
    end
    at = at + 8
  end
  for _, day in ipairs(facts.ragged) do call('SETBIT', K.x_ragged(m, day), slot, 1) end
end

-- Nobody works at `slot` any more.
function index.wipe(m, slot, facts)
  for i = 0, #facts.quarters * 8 - 1 do call('SETBIT', K.x_quarter(m, facts.first + i), slot, 0) end
  call('SETBIT', K.x_askable(m), slot, 0)
  call('SETBIT', K.x_disturb(m), slot, 0)
end

-- The record of the slot, and what is too long for it.
function index.facts(m, slot, pno, facts, asked, score)
  local z = facts.zone
  record.write(m, slot, { pno = pno, asked = asked, kind = z.kind, flags = facts.flags, dnd_from = facts.dnd_from,
    dnd_to = facts.dnd_to, lat = z.lat, lng = z.lng, radius = z.radius,
    score = score })
  call('SETBIT', K.x_disturb(m), slot, facts.flags)
  if facts.ring then call('HSET', K.x_rings(m), pno, facts.ring) else call('HDEL', K.x_rings(m), pno) end
  if facts.spans then call('HSET', K.x_spans(m), pno, facts.spans) else call('HDEL', K.x_spans(m), pno) end
  if #facts.regions > 0 then call('SADD', K.regions(m), unpack(facts.regions)) end
end
