-- An order that a market may choose instead of R5's: in each tier ('tier'), or in each tier x score step ('step'), who accepts likely and
-- quickly comes first. The twin of matcher.by_quickness.

-- The chance in the time left by the root of the delay; `q.earned`: what a proposal earns in that time.
local function quickness(m, q, r)
  local is, slow = keen.read(m, r.pno, r.asked)
  local ends = is + HABITS.refusals
  return is / ends * (1 - math.exp(-ends * q.earned)) / math.sqrt(slow)
end

local function before(q)
  return function(a, b)
    if q.order == 'step' and a.bucket ~= b.bucket then return a.bucket < b.bucket end
    if a.quick ~= b.quick then return a.quick > b.quick end
    if a.asked ~= b.asked then return a.asked < b.asked end
    return a.pno < b.pno
  end
end

-- Those of the shelf at hand until there are k; the first HABITS.pool of them by R5 are put in order.
function find.by_quickness(m, q, k, chosen, crowded)
  local found, pool, rest = {}, {}, {}
  find.on_shelf(m, q, math.max(HABITS.pool, k - #chosen), found, crowded)
  for i, r in ipairs(found) do
    if i <= HABITS.pool then
      r.quick = quickness(m, q, r)
      pool[i] = r
    else rest[#rest + 1] = r end
  end
  table.sort(pool, before(q))
  for _, r in ipairs(rest) do pool[#pool + 1] = r end
  for i = 1, math.min(k - #chosen, #pool) do chosen[#chosen + 1] = pool[i] end
end
