-- Joining bitmaps. Every one that meets others is as long as the slot space (q.full bytes).
local TOGETHER = 12

-- BITOP is some thirty times slower beyond the end of the shortest bitmap, so those that meet are made as long as the slot space (`full`
-- bytes). The second step copies the bitmap: one that has grown has much spare room.
function net.pad(key, full)
  call('SETBIT', key, full * 8 - 1, 0)
  call('BITOP', 'OR', key, key)
end

-- Those of the bitmaps that exist, each as long as the slot space.
function net.level(q, keys)
  local out = {}
  for i = 1, #keys do
    local size = call('STRLEN', keys[i])
    if size > 0 then
      if size < q.full then net.pad(keys[i], q.full) end
      out[#out + 1] = keys[i]
    end
  end
  return out
end

-- The name of a result of BITOP that lasts until net.drop.
function net.scratch(m, q, name)
  local key = K.scratch(m, name)
  q.scratch[#q.scratch + 1] = key
  return key
end

-- BITOP of any number of bitmaps; few at a time stay in the processor's cache.
function net.join(how, to, keys)
  call('BITOP', how, to, unpack(keys, 1, math.min(#keys, TOGETHER)))
  for i = TOGETHER + 1, #keys, TOGETHER do call('BITOP', how, to, to, unpack(keys, i, math.min(#keys, i + TOGETHER - 1))) end
  return to
end
