-- The match index stands in shelves, one a tier, the best tier first, and one more of those who perform badly (R7) and come after all
-- others (0 .. SHELVES.count - 1): each has slots, bitmaps, records and extents of its own, so that a match joins only those it needs.
-- `x` is the beginning of a shelf's keys.
local market, names

function shelf.at(m, number)
  if m ~= market then
    market, names = m, {}
    for i = 0, SHELVES.count - 1 do names[i] = K.shelf(m, i) end
  end
  return names[number]
end

function shelf.number(bucket)
  return math.min(SHELVES.count - 1, math.floor(bucket / SHELVES.steps))
end

-- The shelf of a bucket.
function shelf.of(m, bucket)
  return shelf.at(m, shelf.number(bucket))
end

-- Where a provider stands: his shelf, and his slot in it.
function shelf.place(m, pno)
  local slot, bucket = read.numbers(K.provider(m, pno), 'slot', 'bucket')
  return shelf.of(m, bucket), slot
end
