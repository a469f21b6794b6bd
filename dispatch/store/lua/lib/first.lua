-- The first providers of a market that fit: shelf by shelf, the best tier first, so that a search joins no bitmaps of the others.
local MOST = 200

-- At most k that fit, in order, and the buckets that were crowded {bucket = slot after the crowd}: shelf by shelf, until there are k.
-- `count` (see tally.begin): they are counted on the way.
function find.first(m, q, k, count)
  local chosen, crowded = {}, {}
  k = math.min(k, MOST)
  net.begin(q)
  for number = 0, SHELVES.count - 1 do
    local there, seeking = net.turn(m, q, number), #chosen < k
    local counting = count and tally.goes_on(q, count, number, seeking)
    if there and (seeking or counting) then
      net.cast(m, q)
      if counting then tally.add(m, q, count, number) end
      if seeking and q.size > 0 then (q.order and find.by_quickness or find.on_shelf)(m, q, k, chosen, crowded) end
    end
    if not seeking and not counting then break end
  end
  net.drop(q)
  return chosen, crowded
end
