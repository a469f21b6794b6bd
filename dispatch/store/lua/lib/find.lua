-- The first providers that fit, in the order of R5: bucket (tier, score step), longest since last asked, number.
local MOST, FEW = 200, 64

-- A net of a few: all of them, sorted into their buckets.
local function among_few(m, q, s, k, out, crowded)
  local buckets, order = {}, {}
  net.walk(s, 0, q.full, function(slot, text, pos)
    local pno, asked, _, bucket = struct.unpack('<I4dBB', text, pos)
    local doubt = q.doubts > 0 and call('GETBIT', q.doubt, slot) == 1
    if q.out[pno] or doubt and not fits.doubtful(m, q, slot, pno, text, pos) then return false end
    local best = buckets[bucket]
    if not best then
      best = find.none()
      buckets[bucket], order[#order + 1] = best, bucket
    end
    find.take(best, k, asked, pno, slot, text, pos)
  end)
  table.sort(order)
  for _, bucket in ipairs(order) do
    find.keep(m, q, bucket, buckets[bucket], k - #out, out, crowded)
    if #out >= k then break end
  end
end

local function in_rank_order(m, q, s, k, out, crowded)
  local turns, best = call('GET', K.x_turn(m)) or '', find.none()
  for bucket, ranges in slots.buckets(m) do
    local turn = #turns > bucket * 4 and struct.unpack('<I4', turns, bucket * 4 + 1) or 0
    if turn > 0 then ranges = slots.rotated(ranges, turn) end
    for i = 1, #ranges do
      if find.sift(m, q, s, ranges[i][1] / 8, ranges[i][2] / 8, best, k - #out) then break end
    end
    if best.seen > 0 then
      find.keep(m, q, bucket, best, k - #out, out, crowded)
      if #out >= k then break end
      best = find.none()
    end
  end
end

-- At most k that fit, in order; and the buckets that were crowded {bucket = slot after the crowd}. The net must be cast.
function find.first(m, q, k)
  local out, crowded = {}, {}
  k = math.min(k, MOST)
  if k < 1 or q.size == 0 then return out, crowded end
  q.plainly, q.plain = geometry.plainly(q), not q.frays and not q.stirs
  local s = net.steps(m, q, q.net, q.size, q.doubts > 0 and q.doubt)
  if q.size <= FEW and not s.whole then among_few(m, q, s, k, out, crowded) else in_rank_order(m, q, s, k, out, crowded) end
  return out, crowded
end
