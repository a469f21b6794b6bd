-- Counting exactly who in a net fits.

-- All that are beyond doubt, but those blocked or asked.
local function all_sure(m, q)
  local n = q.size - q.doubts
  for pno in pairs(q.out) do
    local slot = call('HGET', K.provider(m, pno), 'slot')
    if slot then n = n - call('GETBIT', q.net, slot) + (q.doubts > 0 and call('GETBIT', q.doubt, slot) or 0) end
  end
  return n
end

-- How many in the net fit: all that are beyond doubt (when from = 0), and the doubtful ones from slot `from` on, until about `limit` of them
-- are looked at or the call has had its time. Returns the number, and the slot to go on from (nil: done).
function tally.count(m, q, from, limit)
  if q.size == 0 then return 0 end
  local n, begun = from == 0 and all_sure(m, q) or 0, os.clock()
  if q.doubts == 0 then return n end
  local s, at, found = net.steps(m, q, q.doubt, q.doubts), math.floor(from / 8), nil
  while true do
    found, at = net.block(s, at, q.full)
    if not found then return n end
    for i = 1, found do
      local slot = s.slots[i]
      if slot >= from then
        if limit <= 0 or i % 8 == 0 and index.over(begun) then return n, slot end
        local text, pos = net.record(s, slot)
        local pno = struct.unpack('<I4', text, pos)
        if not q.out[pno] and fits.doubtful(m, q, slot, pno, text, pos) then n = n + 1 end
        limit = limit - 1
      end
    end
  end
end
