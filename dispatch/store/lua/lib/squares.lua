-- The map in squares, for vacancies (lib/vacancy.lua): where a booking is listed, and where somebody (his record `r`, shelf `x`) looks.
local SQUARE, METRES, FEW = 200000, 0.1111949266, 16 -- a fifth of a degree; m in a millionth of one; squares that are tried one by one

function vacancy.square(lat, lng)
  return math.floor(lat / SQUARE), math.floor(lng / SQUARE)
end

function vacancy.named(row, column)
  return 'g' .. row .. ',' .. column
end

-- What holds his zone as {south, north, west, east}; nil: a circle too far north or south, or across the date line.
local function box_of(m, r)
  local south, north, west, east = r.lat, r.lat, r.lng, r.lng
  if r.kind == 2 then
    local ring = call('HGET', K.x_rings(m), r.pno)
    for at = 1, #ring, 8 do
      local lat, lng = struct.unpack('<i4i4', ring, at)
      south, north, west, east = math.min(south, lat), math.max(north, lat), math.min(west, lng), math.max(east, lng)
    end
  else
    local up = r.radius * 1.01 / METRES
    local top = math.max(math.abs(south - up), math.abs(north + up))
    if top > 85000000 then return nil end
    local across = up / math.cos(math.rad(top / 1000000))
    south, north, west, east = south - up, north + up, west - across, east + across
    if west < -180000000 or east > 180000000 then return nil end
  end
  return { south, north, west, east }
end

-- Whether his zone may hold a place: a quick test, which may say yes too often.
local function reach(r, box)
  if r.kind == 1 and box then
    local plainly = geometry.plainly(r)
    return function(lat, lng) return plainly(lat, lng, r.radius) ~= false end
  end
  return function(lat, lng) return not box or lat >= box[1] and lat <= box[2] and lng >= box[3] and lng <= box[4] end
end

-- The squares that his zone touches as {row, row, column, column}. It may be too many, never too few.
local function squares(box)
  local first, left = vacancy.square(box[1], box[3])
  local last, right = vacancy.square(box[2], box[4])
  return { first, last, left, right }
end

-- Whether the list of a place may hold something in his zone. Who lists areas is found by them, everybody else by squares.
local function near(r, touched, place)
  if r.kind == 3 then return string.byte(place) == 97 and call('GETBIT', K.x_area(r.x, string.sub(place, 2)), r.slot) == 1 end
  local row, column = string.match(place, '^g(%-?%d+),(%-?%d+)$')
  row, column = tonumber(row), tonumber(column)
  return row and (not touched or row >= touched[1] and row <= touched[2] and column >= touched[3] and column <= touched[4])
end

local function places(m, r, service, touched)
  local out = {}
  if touched and (touched[2] - touched[1] + 1) * (touched[4] - touched[3] + 1) <= FEW then
    for row = touched[1], touched[2] do
      for column = touched[3], touched[4] do out[#out + 1] = vacancy.named(row, column) end
    end
    return out
  end
  for _, place in ipairs(call('SMEMBERS', K.v_places(m, service))) do
    if near(r, touched, place) then out[#out + 1] = place end
  end
  return out
end

-- The lists of the vacancies that may be in his zone, and a quick test of places for it.
function vacancy.lists(m, r)
  local box, out = r.kind ~= 3 and box_of(m, r) or nil, {}
  local touched = box and squares(box)
  for _, service in ipairs(call('SMEMBERS', K.v_services(m))) do
    if call('GETBIT', K.x_service(r.x, service), r.slot) == 1 then
      for _, place in ipairs(places(m, r, service, touched)) do out[#out + 1] = K.v_list(m, service, place) end
    end
  end
  return out, reach(r, box)
end
