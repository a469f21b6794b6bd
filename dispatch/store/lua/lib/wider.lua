-- The net of a wider query: those who may fit if one setting of theirs were wider. It asks of a shelf what near.lua was given (bonus.py).

-- The bitmap of those who are free in one of the ways of a window; nil: nobody.
local function free_in(m, q, name, ways)
  local found = {}
  for i, way in ipairs(ways) do
    local all, some = {}, {}
    for j, quarter in ipairs(way.all) do all[j] = index.quarter(q.x, quarter) end
    for j, quarter in ipairs(way.some) do some[j] = index.quarter(q.x, quarter) end
    local there, any = net.level(q, all), net.level(q, some)
    if #there == #all and (#some == 0 or #any > 0) then
      if #any > 0 then there[#there + 1] = net.join('OR', net.scratch(m, q, name .. i .. 'o'), any) end
      found[#found + 1] = net.join('AND', net.scratch(m, q, name .. i), there)
    end
  end
  return #found > 0 and net.join('OR', net.scratch(m, q, name), found) or nil
end

local function hours(m, q, a)
  if #a.windows == 0 then return net.hours(m, q) end
  local found = {}
  for i, ways in ipairs(a.windows) do found[#found + 1] = free_in(m, q, 'v' .. i .. '-', ways) end
  return #found > 0 and { net.join('OR', net.scratch(m, q, 'v'), found) } or nil
end

local function reach(m, q, a)
  local keys = {}
  for i, cell in ipairs(a.cells) do keys[i] = K.x_reach(q.x, cell) end
  for _, area in ipairs(a.areas) do keys[#keys + 1] = K.x_area(q.x, area) end
  keys = net.level(q, keys)
  return #keys > 0 and { net.join('OR', net.scratch(m, q, 'near'), keys) } or nil
end

-- Those who do all of it and may be asked now; nil: nobody.
local function willing(m, q)
  local keys, asleep = { q.askable }, K.x_disturb(q.x, math.floor(q.minute / 15))
  for i, service in ipairs(q.services) do keys[i + 1] = K.x_service(q.x, service) end
  local there = net.level(q, keys)
  if #there < #keys then return nil end
  if net.whole(q, asleep) then there[#there + 1] = net.join('NOT', net.scratch(m, q, 'awake'), { asleep }) end
  return net.join('AND', net.scratch(m, q, 'net'), there)
end

-- The net of the shelf at hand, the cheapest first; nil: nobody is in it.
function net.wider(m, q, a)
  local key = willing(m, q)
  for _, filter in ipairs({ hours, reach }) do
    local some = key and call('BITPOS', key, 1) >= 0 and filter(m, q, a)
    if not some then return nil end
    some[#some + 1] = key
    net.join('AND', key, some)
  end
  return key
end
