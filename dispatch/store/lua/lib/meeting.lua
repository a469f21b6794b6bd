-- Which vacancies fit one provider, the most urgent first. `r` is his record (with shelf `x`), `m` the market.
local WORK, LIGHT = 240, 16 -- looks in a call, entries that cost as much as one
local PIECE, MOST = 8, 64 -- entries of a list read at once

-- What comes next on those lists after rank `from` and may be in his zone, in order, as {rank, number}; up to which rank that is all there
-- is (nil: to the end); and how many entries were read.
local function heads(names, from, piece, within)
  local found, stop, read, unpack = {}, nil, 0, struct.unpack
  for _, name in ipairs(names) do
    local flat = call('ZRANGEBYSCORE', name, '(' .. from, '+inf', 'WITHSCORES', 'LIMIT', 0, piece)
    for i = 1, #flat, 2 do
      local bno, lat, lng = unpack(vacancy.ENTRY, flat[i])
      if within(lat, lng) then found[#found + 1] = { tonumber(flat[i + 1]), bno } end
    end
    read = read + #flat / 2
    if #flat == 2 * piece then stop = math.min(stop or math.huge, tonumber(flat[#flat])) end
  end
  table.sort(found, function(one, other) return one[1] < other[1] end)
  return found, stop, read
end

-- Calls `look(number)` for each vacancy he may fit, the most urgent first, from after rank `from` on until it returns true. Returns the
-- rank to go on after when the call had its time; nil: that is all.
function vacancy.each(m, r, from, look)
  local names, within = vacancy.lists(m, r)
  local work, piece, last = 0, PIECE, tonumber(from)
  while #names > 0 do
    local found, stop, read = heads(names, string.format('%.0f', last), piece, within)
    for _, entry in ipairs(found) do
      if stop and entry[1] > stop then break end
      if entry[1] ~= last then -- it is on several of his lists
        if look(entry[2]) then return nil end
        last, work = entry[1], work + 1
        if work >= WORK then return string.format('%.0f', last) end
      end
    end
    if not stop then return nil end
    last, work, piece = stop, work + read / LIGHT, math.min(2 * piece, MOST)
    if work >= WORK then return string.format('%.0f', last) end
  end
end
