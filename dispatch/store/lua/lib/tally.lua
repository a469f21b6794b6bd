-- Counting exactly who fits, shelf by shelf.

-- Where those stand who stay out: {shelf, slot}..
function tally.places(m, q)
  if not q.places then
    q.places = {}
    for pno in pairs(q.out) do
      local found = call('HMGET', K.provider(m, pno), 'slot', 'bucket')
      if found[1] then q.places[#q.places + 1] = { shelf.of(m, found[2]), found[1] } end
    end
  end
  return q.places
end

-- All of the shelf at hand that are beyond doubt, but those blocked or asked.
local function all_sure(m, q)
  local n = q.size - q.doubts
  for _, place in ipairs(tally.places(m, q)) do
    local slot = place[2]
    if place[1] == q.x and call('GETBIT', q.net, slot) == 1 and (q.doubts == 0 or call('GETBIT', q.doubt, slot) == 0) then n = n - 1 end
  end
  return n
end

-- How many in the net of the shelf at hand fit: all that are beyond doubt (when from = 0), and the doubtful ones from slot `from` on,
-- until about `limit` of them are looked at or the call that began at `begun` has had its time. Returns the number, the slot to go on
-- from (nil: done), and how many it looked at.
function tally.shelf(m, q, from, limit, begun)
  if q.size == 0 then return 0, nil, 0 end
  net.doubt(m, q)
  local n, stop = from == 0 and all_sure(m, q) or 0, nil
  local looked, read, zoned, out = 0, struct.unpack, record.ZONED, q.out
  if q.doubts == 0 then return n, nil, 0 end
  net.walk(net.steps(q, q.doubt, q.doubts), from - from % 8, q.full * 8, function(slot, text, pos, unsure)
    if slot < from then return false end
    if looked >= limit or looked % 8 == 7 and index.over(begun) then
      stop = slot
      return true
    end
    looked = looked + 1
    local pno, _, lat, lng, radius, kind = read(zoned, text, pos)
    if not out[pno] and fits.doubtful(m, q, slot, pno, lat, lng, radius, kind, unsure == 2) then n = n + 1 end
  end)
  return n, stop, looked
end

-- Counts on from {shelf, slot} until about `limit` in doubt are looked at or the call has had its time. Returns the number, where to go on
-- (nil: done), and how many of them are on the last shelf (R7).
function tally.count(m, q, from, limit)
  local n, behind, begun, number, slot = 0, 0, clock.busy(), from[1], from[2]
  net.begin(q)
  while number < SHELVES.count and limit > 0 and not (slot == 0 and number > from[1] and index.over(begun)) do
    local some, stop, looked = 0, nil, 0
    if net.turn(m, q, number) then
      net.cast(m, q)
      some, stop, looked = tally.shelf(m, q, slot, limit, begun)
    end
    n, limit, slot = n + some, limit - looked, stop or 0
    if number == SHELVES.count - 1 then behind = some end
    if stop then break end
    number = number + 1
  end
  net.drop(q)
  return n, number < SHELVES.count and { number, slot } or nil, behind
end
