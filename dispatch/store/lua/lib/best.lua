-- The best of one bucket. Their order is exact among the first CROWD that fit, from a turning start (R5).
local CROWD, WORK, FEW = 200, 3000, 200
find.CROWD = CROWD

-- Whether one in doubt fits. When the call has had its time, he is left out.
function find.settle(m, q, slot, pno, lat, lng, radius, kind, fray)
  return q.work < WORK and fits.doubtful(m, q, slot, pno, lat, lng, radius, kind, fray)
end

-- How many of the net are in these runs of slots (0 where there are too few slots for a crowd), and how many slots they are.
function find.spread(q, runs)
  local n, size = 0, 0
  for i = 1, #runs do size = size + runs[i][2] - runs[i][1] end
  if size < FEW then return 0, size end -- they are walked, whoever they are
  for i = 1, #runs do n = n + call('BITCOUNT', q.net, runs[i][1] / 8, runs[i][2] / 8 - 1) end
  return n, size
end

-- The search for the best of a bucket: `begin(k, counting)`, then `look` at each of the net (see net.walk), then `list()`: the best k as
-- {asked, number, slot, text, pos}, and where the next search begins if the bucket is crowded. This is where the time of a match goes.
-- Only when `counting` may more than CROWD come; else who cannot be among the best need not be looked at further.
function find.best(m, q)
  local read, waiting, zoned, out = struct.unpack, record.WAITING, record.ZONED, q.out
  local order, n, most, worst, last, seen, counting, turn

  local function begin(k, many)
    order, n, most, worst, last, seen, counting, turn = {}, 0, k, math.huge, 0, 0, many, nil
  end

  local function take(asked, pno, slot, text, pos)
    local i = n
    if n == most then i = n - 1 else n = n + 1 end
    while i > 0 do
      local other = order[i]
      if other[1] < asked or other[1] == asked and other[2] < pno then break end
      order[i + 1] = other
      i = i - 1
    end
    order[i + 1] = { asked, pno, slot, text, pos }
    if n == most then worst, last = order[n][1], order[n][2] end
  end

  local function look(slot, text, pos, unsure)
    local pno, asked, lat, lng, radius, kind
    if unsure == 0 then pno, asked = read(waiting, text, pos) else pno, asked, lat, lng, radius, kind = read(zoned, text, pos) end
    local better = asked < worst or asked == worst and pno < last
    if not better and not counting or out[pno] then return false end
    if unsure > 0 and not find.settle(m, q, slot, pno, lat, lng, radius, kind, unsure == 2) then return false end
    if better then take(asked, pno, slot, text, pos) end
    seen = seen + 1
    if seen < CROWD then return false end
    turn = slot + 1 - (slot + 1) % 8
    return true
  end

  return { begin = begin, look = look, list = function() return order, turn end }
end
