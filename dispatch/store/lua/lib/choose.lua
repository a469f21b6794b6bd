-- Whom a wave asks: by rank (R5), the under-performing last and in no first wave (R7), and newcomers by lot for what of their share rank
-- does not give them (R6).

-- By rank: at most `k`. A first wave looks at no under-performer; where it finds nobody, it is skipped.
local function by_rank(m, q, plan, count)
  if plan.wave > 1 then return find.first(m, q, plan.size, count) end
  local chosen, crowded = find.first(m, q, plan.size, count, 0, SHELVES.count - 2)
  if #chosen > 0 or plan.kind ~= 'wave' then return chosen, crowded end
  chosen, crowded = find.first(m, q, plan.size, nil, SHELVES.count - 1)
  if #chosen > 0 then plan.wave = 2 end
  return chosen, crowded
end

-- Those drawn; then by rank all newcomers (`new`, n of them) and the best of the others, `size` in all. The last of these by rank.
local function together(drawn, ranked, size, new, n)
  local chosen, others, last = {}, size - #drawn - n, nil
  for i, r in ipairs(drawn) do chosen[i] = r end
  for _, r in ipairs(ranked) do
    if new[r.pno] or others > 0 then chosen[#chosen + 1], last = r, r end
    if not new[r.pno] then others = others - 1 end
  end
  return chosen, last
end

-- Newcomers to be drawn: as many as rank gives too few seats to. They are not those whom rank gives one.
local function lots(m, q, b, owed, new, n)
  if owed <= n then return {} end
  for pno in pairs(new) do q.out[pno] = true end
  return newcomers.draw(m, q, b, owed - n)
end

-- Those whom the wave of `plan` asks, and the buckets that were crowded. What was decided is written down (R8). plan.drawn: newcomers who
-- were drawn; plan.wave is 2 where the first was skipped. `count` as in find.first.
function propose.choose(m, b, plan, count)
  local q, first = propose.query(m, b, plan, clock.now()), plan.wave == 1
  if plan.size == 0 then return find.first(m, q, 0, count) end
  local ranked, crowded = by_rank(m, q, plan, count)
  local owed, before = newcomers.owed(m, plan.size)
  local new, n = newcomers.among(m, ranked)
  local drawn = lots(m, q, b, owed, new, n)
  local chosen, last = together(drawn, ranked, plan.size, new, n)
  newcomers.settle(m, before, #chosen, #drawn + n)
  for i, r in ipairs(drawn) do
    plan.drawn = plan.drawn or {}
    plan.drawn[i] = r.pno
  end
  decisions.note(m, b, plan, { first = first, seats = #chosen, drawn = #drawn, last = last and last.bucket, gap = q.gap })
  return chosen, crowded
end
