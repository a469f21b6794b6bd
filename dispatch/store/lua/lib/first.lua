-- The first providers of a market that fit: shelf by shelf, the best tier first, so that a search joins no bitmaps of the others.
local MOST = 200

-- At most k that fit, in order, and the buckets that were crowded {bucket = slot after the crowd}: shelf by shelf, until there are k, from
-- shelf `from` (else the first) to shelf `to` (else the last). `count` (see tally.begin): they are counted on the way.
function find.first(m, q, k, count, from, to)
  local chosen, crowded = {}, {}
  k, from, to = math.min(k, MOST), from or 0, to or SHELVES.count - 1
  net.begin(q)
  for number = count and 0 or from, SHELVES.count - 1 do
    local there, seeking = net.turn(m, q, number), #chosen < k and number >= from and number <= to
    local counting = count and tally.goes_on(q, count, number, seeking)
    if there and (seeking or counting) then
      net.cast(m, q)
      if counting then tally.add(m, q, count, number) end
      if seeking and q.size > 0 then (q.order and find.by_quickness or find.on_shelf)(m, q, k, chosen, crowded) end
    end
    if not counting and (#chosen >= k or number >= to) then break end
  end
  net.drop(q)
  return chosen, crowded
end
