-- Counting exactly who in a net fits.

-- 1 when the provider is in the net beyond doubt.
local function sure(m, q, pno)
  local slot = call('HGET', K.provider(m, pno), 'slot')
  if not slot then return 0 end
  return call('GETBIT', q.net, slot) - call('GETBIT', q.doubt, slot)
end

-- All that are beyond doubt, but those blocked or asked.
local function all_sure(m, q)
  local n = call('BITCOUNT', q.net) - call('BITCOUNT', q.doubt)
  for pno in pairs(q.blocked) do n = n - sure(m, q, pno) end
  for pno in pairs(q.asked) do if not q.blocked[pno] then n = n - sure(m, q, pno) end end
  return n
end

-- How many in the net fit: all that are beyond doubt (when from = 0), and the doubtful one by one from slot `from`, at most `limit`
-- of them. Returns the number, and the slot to go on from (nil: done).
function tally.count(m, q, from, limit)
  local n, stop, net_key = 0, nil, q.net
  if from == 0 then n = all_sure(m, q) end
  q.net = q.doubt
  net.walk(q, net.steps(m, q), { { from, math.max(from, call('STRLEN', q.doubt) * 8) } }, function(slot, _, text, pos)
    if limit <= 0 then
      stop = slot
      return false
    end
    limit = limit - 1
    local pno = struct.unpack('<I4', text, pos)
    if not q.blocked[pno] and not q.asked[pno] and fits.doubtful(m, q, slot, pno, text, pos) then n = n + 1 end
    return true
  end)
  q.net = net_key
  return n, stop
end
