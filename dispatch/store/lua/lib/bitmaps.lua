-- Joining bitmaps. Every one that meets others is as long as its shelf's slot space (q.full bytes).
local TOGETHER, KNOWN, READ = 12, 16384, 16

-- BITOP is some thirty times slower beyond the end of the shortest bitmap, so those that meet are made as long as the slot space (`full`
-- bytes). The second step copies the bitmap: one that has grown has much spare room.
function net.pad(key, full)
  call('SETBIT', key, full * 8 - 1, 0)
  call('BITOP', 'OR', key, key)
end

-- Whether a bitmap exists, and as long as the slot space from then on.
function net.whole(q, key)
  local size = call('STRLEN', key)
  if size > 0 and size < q.full then net.pad(key, q.full) end
  return size > 0
end

-- Those of the bitmaps that exist, each as long as the slot space; for OR and AND, as what is known to be is not looked at again: one that
-- has been deleted since then counts as empty, one that has been written anew is slow to join, and both are rare.
local known, held = {}, 0
function net.level(q, keys)
  local out = {}
  for i = 1, #keys do
    local key = keys[i]
    local there = known[key] == q.full
    if not there and net.whole(q, key) then
      if held > KNOWN then known, held = {}, 0 end
      known[key], held, there = q.full, held + 1, true
    end
    if there then out[#out + 1] = key end
  end
  return out
end

-- Before the first result of a call: they stay out of the append-only file. net.drop must follow in the same call.
function net.begin(q)
  q.scratch = {}
  redis.set_repl(redis.REPL_NONE)
end

-- The name of a result of BITOP that lasts until net.drop, or until another shelf has the same.
function net.scratch(m, q, name)
  local key = q.scratch[name]
  if not key then
    key = K.scratch(m, name)
    q.scratch[name], q.scratch[#q.scratch + 1] = key, key
  end
  return key
end

-- BITOP of any number of bitmaps; few at a time stay in the processor's cache.
function net.join(how, to, keys)
  call('BITOP', how, to, unpack(keys, 1, math.min(#keys, TOGETHER)))
  for i = TOGETHER + 1, #keys, TOGETHER do call('BITOP', how, to, to, unpack(keys, i, math.min(#keys, i + TOGETHER - 1))) end
  return to
end

function net.drop(q)
  if #q.scratch > 0 then call('DEL', unpack(q.scratch)) end
  redis.set_repl(redis.REPL_ALL)
end

-- The slot of the n-th set bit (from 0) of a bitmap of so many bytes: halved until a few of them are left.
function net.nth(key, bytes, n)
  local low, high = 0, bytes
  while high - low > READ do
    local middle = math.floor((low + high) / 2)
    local below = call('BITCOUNT', key, low, middle - 1)
    if n < below then high = middle else low, n = middle, n - below end
  end
  for slot = low * 8, high * 8 - 1 do
    if call('GETBIT', key, slot) == 1 then
      if n == 0 then return slot end
      n = n - 1
    end
  end
end
