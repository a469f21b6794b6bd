-- The first providers that fit, in the order of R5: bucket (tier, score step), longest since last asked, number.
local MOST, FEW = 200, 64

-- A net of a few: all of them, sorted into their buckets.
local function among_few(m, q, s, k, out, crowded)
  local buckets, order, n, at = {}, {}, nil, 0
  while true do
    n, at = net.block(s, at, q.full)
    if not n then break end
    for i = 1, n do
      local text, pos = net.record(s, s.slots[i])
      local bucket = string.byte(text, pos + 13)
      local list = buckets[bucket]
      if not list then
        list = { slots = {}, doubts = {} }
        buckets[bucket], order[#order + 1] = list, bucket
      end
      list.slots[#list.slots + 1], list.doubts[#list.slots + 1] = s.slots[i], s.doubts[i] or false
    end
  end
  table.sort(order)
  for _, bucket in ipairs(order) do
    local best, list = find.none(), buckets[bucket]
    find.sift(m, q, s, list.slots, list.doubts, #list.slots, best, k - #out)
    find.keep(m, q, bucket, best, out, crowded)
    if #out >= k then break end
  end
end

local function in_rank_order(m, q, s, k, out, crowded)
  local turns = call('GET', K.x_turn(m)) or ''
  for bucket, ranges in slots.buckets(m) do
    local turn, best = #turns > bucket * 4 and struct.unpack('<I4', turns, bucket * 4 + 1) or 0, find.none()
    if turn > 0 then ranges = slots.rotated(ranges, turn) end
    for _, range in ipairs(ranges) do
      local n, at, stop = 0, range[1] / 8, range[2] / 8
      while n and not best.turn do
        n, at = net.block(s, at, stop)
        if n then find.sift(m, q, s, s.slots, s.doubts, n, best, k - #out) end
      end
      if best.turn then break end
    end
    find.keep(m, q, bucket, best, out, crowded)
    if #out >= k then break end
  end
end

-- At most k that fit, in order; and the buckets that were crowded {bucket = slot after the crowd}. The net must be cast.
function find.first(m, q, k)
  local out, crowded = {}, {}
  k = math.min(k, MOST)
  if k < 1 or q.size == 0 then return out, crowded end
  local s = net.steps(m, q, q.net, q.size, q.doubts > 0 and q.doubt)
  if q.size <= FEW then among_few(m, q, s, k, out, crowded) else in_rank_order(m, q, s, k, out, crowded) end
  return out, crowded
end
