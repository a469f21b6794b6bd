-- The first providers that fit, in the order of R5: bucket (tier, score step), longest since last asked, number.
local MOST, FEW = 200, 64

-- A net of a few: all of them, sorted into their buckets.
local function among_few(m, q, s, k, out, crowded)
  local buckets, order, unpack2 = {}, {}, struct.unpack
  net.walk(s, 0, q.full, function(slot, doubt, text, pos)
    local pno, asked, _, bucket = unpack2('<I4dBB', text, pos)
    local best = buckets[bucket]
    if not best then
      best = find.none()
      buckets[bucket], order[#order + 1] = best, bucket
    end
    if find.holds(m, q, slot, doubt, pno, text, pos) then find.take(best, k, asked, pno, slot) end
  end)
  table.sort(order)
  for _, bucket in ipairs(order) do
    local best = buckets[bucket]
    for i = #best.slot, k - #out + 1, -1 do best.slot[i] = nil end
    find.keep(m, q, bucket, best, out, crowded)
    if #out >= k then break end
  end
end

local function in_rank_order(m, q, s, k, out, crowded)
  local turns, best, unpack2, wanted = call('GET', K.x_turn(m)) or '', find.none(), struct.unpack, k
  local function visit(slot, doubt, text, pos)
    local pno, asked = unpack2('<I4d', text, pos)
    return find.holds(m, q, slot, doubt, pno, text, pos) and find.take(best, wanted, asked, pno, slot)
  end
  for bucket, ranges in slots.buckets(m) do
    local turn = #turns > bucket * 4 and struct.unpack('<I4', turns, bucket * 4 + 1) or 0
    if turn > 0 then ranges = slots.rotated(ranges, turn) end
    for i = 1, #ranges do
      if net.walk(s, ranges[i][1] / 8, ranges[i][2] / 8, visit) then break end
    end
    if best.seen > 0 then
      find.keep(m, q, bucket, best, out, crowded)
      if #out >= k then break end
      best, wanted = find.none(), k - #out
    end
  end
end

-- At most k that fit, in order; and the buckets that were crowded {bucket = slot after the crowd}. The net must be cast.
function find.first(m, q, k)
  local out, crowded = {}, {}
  k = math.min(k, MOST)
  if k < 1 or q.size == 0 then return out, crowded end
  local s = net.steps(m, q, q.net, q.size, q.doubts > 0 and q.doubt)
  if q.size <= FEW and not s.whole then among_few(m, q, s, k, out, crowded) else in_rank_order(m, q, s, k, out, crowded) end
  return out, crowded
end
