-- Whom a wave asks: newcomers for the seats that are theirs (R6), else by rank (R5), the under-performing last and in no first wave (R7).

-- By rank: at most `k`. A first wave looks at no under-performer; where it finds nobody, it is skipped.
local function by_rank(m, q, plan, count)
  if plan.wave > 1 then return find.first(m, q, plan.size, count) end
  local chosen, crowded = find.first(m, q, plan.size, count, 0, SHELVES.count - 2)
  if #chosen > 0 or plan.kind ~= 'wave' then return chosen, crowded end
  chosen, crowded = find.first(m, q, plan.size, nil, SHELVES.count - 1)
  if #chosen > 0 then plan.wave = 2 end
  return chosen, crowded
end

-- Those drawn first, then the best of the others, `size` in all; the last of these by rank.
local function together(drawn, ranked, size)
  local chosen, known, last = {}, {}, nil
  for i, r in ipairs(drawn) do chosen[i], known[r.pno] = r, true end
  for _, r in ipairs(ranked) do
    if #chosen < size and not known[r.pno] then chosen[#chosen + 1], last = r, r end
  end
  return chosen, last
end

-- Those whom the wave of `plan` asks, and the buckets that were crowded. What was decided is written down (R8). plan.drawn: newcomers who
-- were drawn; plan.wave is 2 where the first was skipped. `count` as in find.first.
function propose.choose(m, b, plan, count)
  local q = propose.query(m, b, plan.minute, clock.now())
  if plan.size == 0 then return find.first(m, q, 0, count) end
  local first, owed, before = plan.wave == 1, newcomers.owed(m, plan.size)
  local ranked, crowded = by_rank(m, q, plan, count)
  local drawn = owed > 0 and newcomers.draw(m, q, b, owed) or {}
  local chosen, last = together(drawn, ranked, plan.size)
  newcomers.settle(m, before, #chosen, #drawn)
  for i, r in ipairs(drawn) do
    plan.drawn = plan.drawn or {}
    plan.drawn[i] = r.pno
  end
  decisions.note(m, b, plan, { first = first, seats = #chosen, drawn = #drawn, last = last and last.bucket, gap = q.gap })
  return chosen, crowded
end
