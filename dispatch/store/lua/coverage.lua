-- coverage: how many could serve at a place, hour by hour and service by service: popcounts of the match index; writes nothing.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, cells and areas (of the place), services, hours {first quarter of each}, at {shelf, hour (index from 0)}}
-- Replies: COUNTED {rows {{hour (index from 0), number for each service..}..} (to be added up; absent: nobody), at (nil: done)}
-- Source: SPEC.md R9. Those are counted who are approved, whose zone comes near the place, who do the service, and who are free during some
--         part of each quarter of the hour: whether they can be reached at this moment is no matter.
local HOUR = 4 -- quarters

-- Those of the shelf at hand who may reach the place and are approved, or nil.
local function near(m, q)
  local keys = net.near(q)
  local reach = keys and net.whole(q, K.x_approved(q.x)) and net.reach(m, q, keys)
  return reach and net.join('AND', net.scratch(m, q, 'local'), { reach, K.x_approved(q.x) })
end

-- Of those, who is free in the hour that begins with a quarter, or nil.
local function free(m, q, there, first)
  local keys = { there }
  for quarter = first, first + HOUR - 1 do keys[#keys + 1] = index.quarter(q.x, quarter) end
  local all = net.level(q, keys)
  return #all == #keys and net.join('AND', net.scratch(m, q, 'free'), all)
end

local function row(m, q, hour, some)
  local out = { hour }
  for i, service in ipairs(q.services) do
    local key = K.x_service(q.x, service)
    out[i + 1] = net.whole(q, key) and call('BITCOUNT', net.join('AND', net.scratch(m, q, 'able'), { some, key })) or 0
  end
  return out
end

-- The hours of the shelf at hand from `hour` on; the one to go on with (nil: all are done).
local function go_through(m, q, hour, rows, begun)
  local there = near(m, q)
  for i = there and hour or #q.hours, #q.hours - 1 do
    if i > hour and index.over(begun) then return i end
    local some = free(m, q, there, q.hours[i + 1])
    if some and call('BITPOS', some, 1) >= 0 then rows[#rows + 1] = row(m, q, i, some) end
  end
end

function verbs.coverage(m, a)
  local rows, begun, number, hour = {}, clock.busy(), a.at[1], a.at[2]
  net.begin(a)
  while number < SHELVES.count and not (hour == 0 and number > a.at[1] and index.over(begun)) do
    hour = net.turn(m, a, number) and go_through(m, a, hour, rows, begun) or 0
    if hour > 0 then break end
    number = number + 1
  end
  net.drop(a)
  return reply('COUNTED', { rows = rows, at = number < SHELVES.count and { number, hour } or nil })
end
