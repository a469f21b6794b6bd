-- Walking a net, and counting exactly who in it fits.

-- Calls `visit(slot)` for each bit of `net` in the ranges until it returns false.
function net.walk(net_key, ranges, visit)
  for _, range in ipairs(ranges) do
    local first = range[1] - range[1] % 8
    local bytes = call('GETRANGE', net_key, first / 8, math.ceil(range[2] / 8) - 1)
    local at = string.find(bytes, '[^%z]')
    while at do
      local byte, bit = string.byte(bytes, at), 128
      for i = 0, 7 do
        if byte >= bit then
          byte = byte - bit
          local slot = first + (at - 1) * 8 + i
          if slot >= range[1] and slot < range[2] and not visit(slot) then return end
        end
        bit = bit / 2
      end
      at = string.find(bytes, '[^%z]', at + 1)
    end
  end
end

-- How many in the net fit: all that are beyond doubt, and the doubtful one by one from slot `from`, at most `limit` of
-- them. Returns the number, and the slot to go on from (nil: done). Beyond-doubt ones are counted when from = 0.
function tally.count(m, q, net_key, from, limit)
  local doubtful, n, stop = net.doubtful(m, q), 0, nil
  if from == 0 then
    n = call('BITCOUNT', net_key) - call('BITCOUNT', doubtful)
    for pno in pairs(q.blocked) do n = n - tally.sure(m, net_key, doubtful, pno) end
    for pno in pairs(q.asked) do if not q.blocked[pno] then n = n - tally.sure(m, net_key, doubtful, pno) end end
  end
  local size = call('STRLEN', doubtful) * 8
  net.walk(doubtful, { { from, math.max(from, size) } }, function(slot)
    if limit <= 0 then
      stop = slot
      return false
    end
    limit = limit - 1
    if fits.check(m, q, record.read(m, slot)) then n = n + 1 end
    return true
  end)
  return n, stop
end

-- 1 when the provider is in the net beyond doubt.
function tally.sure(m, net_key, doubtful, pno)
  local slot = call('HGET', K.provider(m, pno), 'slot')
  if not slot then return 0 end
  return call('GETBIT', net_key, slot) - call('GETBIT', doubtful, slot)
end
