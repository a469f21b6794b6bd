-- The first providers that fit, in the order of R5: bucket (tier, score step), longest since last asked, number.
-- Inside a bucket the order is exact among the first CROWD that fit, from a turning start; later ones follow by rotation.
local CROWD, LOOK = 200, 4000

local function before(a, b)
  if a.asked ~= b.asked then return a.asked < b.asked end
  return a.pno < b.pno
end

-- Whether (asked, pno) belongs into the sorted list `best` of at most k.
local function belongs(best, k, asked, pno)
  local last = best[k]
  return not last or asked < last.asked or asked == last.asked and pno < last.pno
end

local function insert(best, r, k)
  local i = math.min(#best, k - 1)
  while i > 0 and before(r, best[i]) do
    best[i + 1] = best[i]
    i = i - 1
  end
  best[i + 1] = r
end

-- The candidates of one bucket, at most `k` in order, and the slot after its crowd when it is crowded.
local function of_bucket(m, q, steps, ranges, k, budget)
  local best, rest, seen, crowd_end = {}, {}, 0, nil
  net.walk(q, steps, ranges, function(slot, doubt, text, pos)
    budget.left = budget.left - 1
    local pno, asked = struct.unpack('<I4d', text, pos)
    if not q.blocked[pno] and not q.asked[pno] and (not doubt or fits.doubtful(m, q, slot, pno, text, pos)) then
      seen = seen + 1
      if seen > CROWD then rest[#rest + 1] = { slot = slot, pno = pno, asked = asked, text = text, pos = pos }
      elseif belongs(best, k, asked, pno) then insert(best, { slot = slot, pno = pno, asked = asked, text = text, pos = pos }, k) end
      if seen == CROWD then crowd_end = slot + 1 end
    end
    return budget.left > 0 and (seen < CROWD or seen < k)
  end)
  for i = 1, math.min(#rest, k - #best) do best[#best + 1] = rest[i] end
  return best, crowd_end
end

-- A chosen one in full: his record, bucket, windows that fit, distance.
local function full(m, q, chosen, bucket)
  local r = record.parse(chosen.slot, chosen.text, chosen.pos)
  local _, far = geometry.covers(m, q, r)
  r.far, r.bucket, r.windows = far, bucket, fits.windows(m, q, r)
  return r
end

-- At most k that fit, in order; and the buckets that were crowded {bucket = slot after the crowd}. The net must be cast.
function find.first(m, q, k)
  local out, crowded, budget = {}, {}, { left = LOOK }
  if k < 1 or call('BITPOS', q.net, 1) < 0 then return out, crowded end
  local steps, turns = net.steps(m, q), call('GET', K.x_turn(m)) or ''
  for bucket, ranges in slots.buckets(m) do
    local turn = #turns > bucket * 4 and struct.unpack('<I4', turns, bucket * 4 + 1) or 0
    local best, crowd_end = of_bucket(m, q, steps, turn > 0 and slots.rotated(ranges, turn) or ranges, k - #out, budget)
    crowded[bucket] = crowd_end
    for _, chosen in ipairs(best) do out[#out + 1] = full(m, q, chosen, bucket) end
    if #out >= k or budget.left <= 0 then break end
  end
  return out, crowded
end
