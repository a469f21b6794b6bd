-- Counting exactly who in a net fits.
local AT_ONCE, SMALL = 16, 4096 -- doubtful ones, bytes of a bitmap: a longer count begins with a call of its own

-- All that are beyond doubt, but those blocked or asked.
local function all_sure(m, q)
  local n = q.size - q.doubts
  for pno in pairs(q.out) do
    local slot = call('HGET', K.provider(m, pno), 'slot')
    if slot and call('GETBIT', q.net, slot) == 1 and (q.doubts == 0 or call('GETBIT', q.doubt, slot) == 0) then n = n - 1 end
  end
  return n
end

-- How many in the net fit: all that are beyond doubt (when from = 0), and the doubtful ones from slot `from` on, until about `limit` of
-- them are looked at or the call has had its time. Returns the number, and the slot to go on from (nil: done).
function tally.count(m, q, from, limit)
  if q.size == 0 then return 0 end
  net.doubt(m, q)
  local n, begun, stop = from == 0 and all_sure(m, q) or 0, clock.busy(), nil
  local looked, read, zoned, out = 0, struct.unpack, record.ZONED, q.out
  if q.doubts == 0 then return n end
  net.walk(net.steps(m, q, q.doubt, q.doubts), from - from % 8, q.full * 8, function(slot, text, pos, unsure)
    if slot < from then return false end
    if looked >= limit or looked % 8 == 7 and index.over(begun) then
      stop = slot
      return true
    end
    looked = looked + 1
    local pno, _, lat, lng, radius, kind = read(zoned, text, pos)
    if not out[pno] and fits.doubtful(m, q, slot, pno, lat, lng, radius, kind, unsure == 2) then n = n + 1 end
  end)
  return n, stop
end

-- A count that is no burden to the call: of a small net with few in doubt. Otherwise nobody yet, from slot 0 on.
function tally.at_once(m, q)
  if q.full > SMALL and q.size > 0 then return 0, 0 end
  net.doubt(m, q)
  if q.doubts > AT_ONCE then return 0, 0 end
  return tally.count(m, q, 0, AT_ONCE)
end
