-- Vacancies (R18): seats of a booking's current wave that nobody could be asked for, or whose holder nothing reached. A search that has
-- some is on lists of the first service it asks for: one for the square of the map it lies in, one for each area that holds it. On each
-- the most urgent comes first. Whoever may be asked from now on looks there (lib/meeting.lua); a search without vacancies costs nothing.
-- What such a look needs of it is its brief: {places, lat, lng, areas, services, windows, client, round, start}.
local RANK = 2097152 -- numbers of bookings that start in the same second are told apart
vacancy.ENTRY = '>I4i4i4' -- of a list: number, and where it is (millionths of a degree): most are too far away

-- Its place on every list: by start, then by number.
local function urgency(b)
  return string.format('%.0f', math.floor(tonumber(b.start) / 1000) * RANK + b.no % RANK)
end

local function places_of(q)
  local out = { vacancy.named(vacancy.square(q.lat, q.lng)) }
  for i, area in ipairs(q.areas) do out[i + 1] = 'a' .. area end
  return out
end

local function entry(bno, lat, lng)
  return struct.pack(vacancy.ENTRY, bno, lat, lng)
end

local function enter(m, b)
  booking.load(m, b)
  local q = b.query
  local service, places, rank = q.services[1], places_of(q), urgency(b)
  for _, place in ipairs(places) do
    call('ZADD', K.v_list(m, service, place), rank, entry(b.no, q.lat, q.lng))
    call('SADD', K.v_places(m, service), place)
  end
  call('SADD', K.v_services(m), service)
  call('HSET', K.v_briefs(m), b.no, cmsgpack.pack({ places, q.lat, q.lng, q.areas, q.services, b.spans, b.client, b.round,
    tonumber(b.start) }))
end

local function leave(m, bno)
  local brief = vacancy.brief(m, bno)
  local service = brief[5][1]
  for _, place in ipairs(brief[1]) do
    call('ZREM', K.v_list(m, service, place), entry(bno, brief[2], brief[3]))
    if call('EXISTS', K.v_list(m, service, place)) == 0 then call('SREM', K.v_places(m, service), place) end
  end
  if call('EXISTS', K.v_places(m, service)) == 0 then call('SREM', K.v_services(m), service) end
  call('HDEL', K.v_briefs(m), bno)
end

function vacancy.brief(m, bno)
  local kept = call('HGET', K.v_briefs(m), bno)
  return kept and cmsgpack.unpack(kept)
end

-- From now on the booking has `n` vacancies.
function vacancy.set(m, b, n)
  local before = b.vacant or 0
  if n == before then return end
  b.vacant = n
  call('HSET', K.booking(m, b.no), 'vacant', n)
  if before == 0 then enter(m, b) elseif n == 0 then leave(m, b.no) end
end

-- What a wave or fill of the plan that asked so many leaves vacant. The next wave ends the claim of earlier ones.
function vacancy.after(m, b, plan, asked)
  if plan.kind == 'wave' then vacancy.set(m, b, plan.size - asked)
  elseif plan.kind == 'fill' then vacancy.set(m, b, (b.vacant or 0) + plan.size - asked) end
end

-- It is asked for otherwise now: other windows.
function vacancy.renew(m, b)
  local n = b.vacant or 0
  vacancy.set(m, b, 0)
  vacancy.set(m, b, n)
end

-- He may fit what he did not fit before: a worker lets him meet the vacancies. Where there is none, whoever is asked for later is found.
function vacancy.wake(m, pno)
  if call('EXISTS', K.v_services(m)) == 0 then return end
  if call('ZADD', K.freed(m), 'NX', clock.now(), pno) == 0 then call('HDEL', K.provider(m, pno), 'met') end
  woken.freed = true
end
