-- near: who would fit if one setting of his were wider, bucket by bucket in rank order, as far as bitmaps can tell; writes nothing.
-- Who it names is looked at exactly by whoever asks (bonus.py).
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, bno, minute, windows {{{all {quarter..}, some {quarter..}}..}..} (empty: those of the booking), cells, areas, at
--       (shelf), limit}
-- Replies: FOUND {list {pno..}, at (the shelf to go on with; nil: that was all)}
-- Source: SPEC.md R30; DESIGN (match index).

-- Adds those of the shelf at hand in rank order, until there are `limit`.
local function take(q, key, list, limit)
  local s = net.steps(q, key, call('BITCOUNT', key))
  for _, runs in slots.buckets(q.x) do
    for i = 1, #runs do
      if #list < limit then net.walk(s, runs[i][1], runs[i][2], function(_, text, pos)
        local pno = struct.unpack(record.WAITING, text, pos)
        if not q.out[pno] then list[#list + 1] = pno end
        return #list >= limit
      end) end
    end
  end
end

function verbs.near(m, a)
  local begun, q, list, shelf_no = clock.busy(), propose.query(m, booking.get(m, a.bno), a, clock.now()), {}, a.at
  net.begin(q)
  while shelf_no < SHELVES.count and #list < a.limit and not (shelf_no > a.at and index.over(begun)) do
    local key = net.turn(m, q, shelf_no) and net.wider(m, q, a)
    if key then take(q, key, list, a.limit) end
    shelf_no = shelf_no + 1
  end
  net.drop(q)
  return reply('FOUND', { list = list, at = #list < a.limit and shelf_no < SHELVES.count and shelf_no or nil })
end
