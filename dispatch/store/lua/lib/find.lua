-- The first providers that fit, in the order of R5: bucket (tier, score step), longest since last asked, number.
-- Inside a bucket the order is exact among the first CROWD that fit, from a turning start; later ones follow by rotation.
local CROWD, LOOK = 200, 4000

local function before(a, b)
  if a.asked ~= b.asked then return a.asked < b.asked end
  return a.pno < b.pno
end

-- Puts `r` into the sorted list `best` of at most k.
local function insert(best, r, k)
  if #best == k and not before(r, best[k]) then return end
  local i = math.min(#best, k - 1)
  while i > 0 and before(r, best[i]) do
    best[i + 1] = best[i]
    i = i - 1
  end
  best[i + 1] = r
end

-- The candidates of one bucket, at most `k` in order; `budget` bounds how many may be looked at.
local function of_bucket(m, q, net_key, ranges, k, budget)
  local best, rest, seen, crowd_end = {}, {}, 0, nil
  net.walk(net_key, ranges, function(slot)
    budget.left = budget.left - 1
    local r = record.read(m, slot)
    local windows, far = fits.check(m, q, r)
    if windows then
      r.windows, r.far, seen = windows, far, seen + 1
      if seen <= CROWD then insert(best, r, k) else rest[#rest + 1] = r end
      if seen == CROWD then crowd_end = slot + 1 end
    end
    return budget.left > 0 and (seen < CROWD or seen < k)
  end)
  for i = 1, math.min(#rest, k - #best) do best[#best + 1] = rest[i] end
  return best, crowd_end
end

-- At most k records that fit, in order, each with bucket, windows and far; and the buckets that were crowded ({bucket = slot after
-- the crowd}). The net must be cast.
function find.first(m, q, net_key, k)
  local out, crowded, budget = {}, {}, { left = LOOK }
  if k < 1 or call('BITPOS', net_key, 1) < 0 then return out, crowded end
  for bucket, ranges in slots.buckets(m) do
    local turn = tonumber(call('HGET', K.x_turn(m), bucket)) or 0
    local best, crowd_end = of_bucket(m, q, net_key, slots.rotated(ranges, turn), k - #out, budget)
    crowded[bucket] = crowd_end
    for _, r in ipairs(best) do
      r.bucket = bucket
      out[#out + 1] = r
    end
    if #out >= k or budget.left <= 0 then break end
  end
  return out, crowded
end
