-- Which vacancies fit one provider, the most urgent first. `r` is his record (with shelf `x`), `m` the market.
local PIECE, WORK, METRES = 8, 240, 0.1111949266 -- entries read at once, briefs looked at in a call, m in a millionth of a degree

-- The squares his zone touches as {row, row, column, column}; nil: all of them. It may hold too much, never too little.
local function squares(m, r)
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
  local first, left = vacancy.square(south, west)
  local last, right = vacancy.square(north, east)
  return { first, last, left, right }
end

-- Whether the list of a place may hold something in his zone. Who lists areas is found by them, everybody else by squares.
local function near(r, box, place)
  if r.kind == 3 then return string.byte(place) == 97 and call('GETBIT', K.x_area(r.x, string.sub(place, 2)), r.slot) == 1 end
  local row, column = string.match(place, '^g(%-?%d+),(%-?%d+)$')
  row, column = tonumber(row), tonumber(column)
  return row and (not box or row >= box[1] and row <= box[2] and column >= box[3] and column <= box[4])
end

local function lists(m, r)
  local out, box = {}, r.kind ~= 3 and squares(m, r) or nil
  for _, service in ipairs(call('SMEMBERS', K.v_services(m))) do
    if call('GETBIT', K.x_service(r.x, service), r.slot) == 1 then
      for _, place in ipairs(call('SMEMBERS', K.v_places(m, service))) do
        if near(r, box, place) then out[#out + 1] = K.v_list(m, service, place) end
      end
    end
  end
  return out
end

-- What comes next on those lists after `from`, in order, as {rank, number}; and up to which rank that is all there is (nil: to the end).
local function heads(names, from)
  local found, stop = {}, nil
  for _, name in ipairs(names) do
    local flat = call('ZRANGEBYSCORE', name, '(' .. from, '+inf', 'WITHSCORES', 'LIMIT', 0, PIECE)
    for i = 1, #flat, 2 do found[#found + 1] = { tonumber(flat[i + 1]), tonumber(flat[i]) } end
    if #flat == 2 * PIECE then stop = math.min(stop or math.huge, found[#found][1]) end
  end
  table.sort(found, function(one, other) return one[1] < other[1] end)
  return found, stop
end

-- Calls `look(number)` for each vacancy he may fit, the most urgent first, from after rank `from` on until it returns true. Returns the
-- rank to go on after when the call had its time; nil: that is all.
function vacancy.each(m, r, from, look)
  local names, work = lists(m, r), 0
  while #names > 0 do
    local found, stop = heads(names, from)
    for _, entry in ipairs(found) do
      if stop and entry[1] > stop then break end
      if entry[1] ~= tonumber(from) then -- it is on several of his lists
        if look(entry[2]) then return nil end
        from, work = string.format('%.0f', entry[1]), work + 1
        if work >= WORK then return from end
      end
    end
    if not stop then return nil end
  end
end
