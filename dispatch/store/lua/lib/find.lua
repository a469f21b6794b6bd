-- The first of a shelf that fit, in the order of R5: bucket (tier, score step), longest since last asked, number.
local FEW = 32

local function earlier(a, b)
  return a[1] < b[1] or a[1] == b[1] and a[2] < b[2]
end

-- The chosen ones of a bucket until there are k: number, slot, bucket, score x 100, distance in m (-1: his zone has no centre), windows.
function find.keep(m, q, list, k, chosen)
  for i = 1, math.min(k - #chosen, #list) do
    local pno, slot, text, pos = list[i][2], list[i][3], list[i][4], list[i][5]
    local lat, lng, kind, bucket, score = struct.unpack('<i4i4xxxxBBxxxxH', text, pos + 12)
    local far = kind % 8 == 3 and -1 or math.floor(geometry.distance(lat, lng, q.lat, q.lng) + 0.5)
    chosen[#chosen + 1] = { pno = pno, slot = slot, bucket = bucket, score = score, far = far, asked = list[i][1],
      windows = fits.windows(m, q, slot, pno) }
  end
end

-- A net of a few: all of them, sorted into their buckets.
local function among_few(m, q, s, k, chosen)
  local buckets, order = {}, {}
  net.walk(s, 0, q.full * 8, function(slot, text, pos, unsure)
    local pno, asked, lat, lng, radius, kind, bucket = struct.unpack(record.ZONED, text, pos)
    if q.out[pno] then return false end
    if unsure > 0 and not find.settle(m, q, slot, pno, lat, lng, radius, kind, unsure == 2) then return false end
    if not buckets[bucket] then
      buckets[bucket], order[#order + 1] = {}, bucket
    end
    table.insert(buckets[bucket], { asked, pno, slot, text, pos })
    return false
  end)
  table.sort(order)
  for i = 1, #order do
    table.sort(buckets[order[i]], earlier)
    find.keep(m, q, buckets[order[i]], k, chosen)
  end
end

-- A bucket whose people have to be walked: those of the net are compared, of a crowd the first from its turning start.
local function walked(s, runs, best, k, crowd)
  best.begin(k, crowd)
  for i = 1, #runs do
    if net.walk(s, runs[i][1], runs[i][2], best.look) then break end
  end
  return best.list()
end

local function in_rank_order(m, q, s, k, chosen, crowded)
  local turns, best = call('GET', K.x_turn(m)) or '', find.best(m, q)
  for bucket, runs in slots.buckets(q.x) do
    if net.any(s, runs) then
      local n, size = find.spread(q, runs)
      local want = k - #chosen
      local list = find.longest(m, q, bucket, runs, want, n, size)
      if not list then
        local turn = #turns > bucket * 4 and struct.unpack('<I4', turns, bucket * 4 + 1) or 0
        if turn > 0 then runs = slots.rotated(runs, turn) end
        if n >= find.CROWD and not s.doubt then
          s = net.steps(q, q.net, q.size, net.unsure(m, q)) -- many are to be looked at: those beyond doubt need no look
        end
        list, crowded[bucket] = walked(s, runs, best, want, n >= find.CROWD)
      end
      find.keep(m, q, list, k, chosen)
      if #chosen >= k then break end
    end
  end
end

-- Those of the shelf at hand until there are k; its net must be cast.
function find.on_shelf(m, q, k, chosen, crowded)
  local s = net.steps(q, q.net, q.size, q.doubt)
  if q.size <= FEW then among_few(m, q, s, k, chosen) else in_rank_order(m, q, s, k, chosen, crowded) end
end
