-- The exact zone test: the twin of dispatch/zones.py, the same operations on the same doubles in the same order.
local K_RAD, TWICE_EARTH = 1.7453292519943295e-08, 12742017.6

function geometry.distance(lat1, lng1, lat2, lng2)
  local sin, cos = math.sin, math.cos
  local f1, f2 = lat1 * K_RAD, lat2 * K_RAD
  local u = sin((f2 - f1) * 0.5)
  local v = sin((lng2 * K_RAD - lng1 * K_RAD) * 0.5)
  local a = u * u + (cos(f1) * cos(f2)) * (v * v)
  if a > 1 then a = 1 end
  return TWICE_EARTH * math.asin(math.sqrt(a))
end

-- A quick test for circles around the place of query `q`: true, false, or nil (too close to the rim for a flat map, too far, or beyond the
-- date line). The map is off by less than radius x tan(lat) / earth, and 0.2 %; twice that in squares.
function geometry.plainly(q)
  local lat0, lng0, up = q.lat, q.lng, 0.1111949266
  local across, slope = math.cos(lat0 * K_RAD) * up, 2 * math.abs(math.tan(lat0 * K_RAD)) / 6371008.8
  local beyond = 180000000 * across
  return function(lat, lng, radius)
    local x, y, slack = (lng - lng0) * across, (lat - lat0) * up, slope * radius + 0.004
    local square, rim = x * x + y * y, radius * radius
    if slack > 0.2 or x > beyond or x < -beyond then return nil end
    if square < rim * (1 - slack) then return true end
    if square > rim * (1 + slack) then return false end
    return nil
  end
end

-- Even-odd ray casting over int32 pairs (lat, lng); dispatch/zones.py states the rule on edges.
function geometry.in_ring(ring, lat, lng)
  local held, last = false, #ring - 7
  local lat1, lng1 = struct.unpack('<i4i4', ring, last)
  for at = 1, last, 8 do
    local lat2, lng2 = struct.unpack('<i4i4', ring, at)
    if (lat1 > lat) ~= (lat2 > lat) then
      local side = (lng - lng1) * (lat2 - lat1) - (lng2 - lng1) * (lat - lat1)
      if lat2 > lat1 and side < 0 or lat2 <= lat1 and side > 0 then held = not held end
    end
    lat1, lng1 = lat2, lng2
  end
  return held
end

-- Whether a provider's polygon holds the place of query `q`.
function geometry.in_zone(m, q, pno)
  local ring = call('HGET', K.x_rings(m), pno)
  q.work = (q.work or 0) + #ring / 16
  return geometry.in_ring(ring, q.lat, q.lng)
end

-- Whether the zone of record `r` covers the place of query `q`.
function geometry.covers(m, q, r)
  if r.kind == 1 then return geometry.distance(r.lat, r.lng, q.lat, q.lng) <= r.radius end
  if r.kind == 2 then return geometry.in_zone(m, q, r.pno) end
  for _, area in ipairs(q.areas) do
    if call('GETBIT', K.x_area(q.x, area), r.slot) == 1 then return true end
  end
  return false
end
