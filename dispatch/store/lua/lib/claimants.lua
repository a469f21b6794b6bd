-- In which order the claims of a fair window (R16) are judged.

-- For each provider how many were asked before him in the last wave that asked him, and in all before it.
local function order_of_asking(m, bno)
  local out, n = {}, 0
  for _, raw in ipairs(call('LRANGE', K.timeline(m, bno), 0, -1)) do
    local e = cmsgpack.unpack(raw)
    for _, pno in ipairs(e.type == 'WaveSent' and e.asked or {}) do out[pno], n = n, n + 1 end
  end
  return out
end

-- Claims by rank (R5: tier and score; then, as whoever waited longest was asked first, the order of asking), of one provider by time.
function fair.ranked(m, bno)
  local places, list = order_of_asking(m, bno), {}
  for _, raw in pairs(read.hash(K.claims(m, bno))) do
    local claim = cmsgpack.unpack(raw)
    local bucket = tonumber(call('HGET', K.provider(m, claim.p), 'bucket'))
    list[#list + 1] = { bucket, places[claim.p] or 0, claim.p, claim.at, claim.id, claim }
  end
  table.sort(list, function(one, other)
    for i = 1, 5 do
      if one[i] ~= other[i] then return one[i] < other[i] end
    end
    return false
  end)
  return list
end
