-- Numbers in rank order. A bucket is one tier x score step (0: premier 10.0, the last: limited 0.0); it owns extents of
-- its shelf's slot space. A full bucket gets a new extent at the end, so nobody is ever renumbered.
local ENTRY, WIDTH = '<BI4I4', 9

-- The slot space in bytes of a bitmap, rounded up by at most an eighth, so that it seldom grows. x_askable always has that length.
local function widen(x, stop)
  local bytes = math.ceil(stop / 8)
  local step = math.max(64, 2 ^ math.floor(math.log(bytes) / math.log(2)) / 8)
  local full = math.ceil(bytes / step) * step
  if call('STRLEN', K.x_askable(x)) < full then call('SETBIT', K.x_askable(x), full * 8 - 1, 0) end
end

-- A new extent for a bucket, half as large as what it has (so there are few of them, and little is empty), whole words.
local function grow(m, bucket, want)
  local x, owned = shelf.of(m, bucket), 0
  local map = call('GET', K.x_extents(x)) or ''
  local at = #map + 1
  for i = 1, #map, WIDTH do
    local b, first, stop = struct.unpack(ENTRY, map, i)
    if b == bucket then owned = owned + stop - first end
    if b > bucket and at > i then at = i end
  end
  local size = math.ceil(math.max(64, want, owned / 2) / 64) * 64
  local stop = call('HINCRBY', K.numbers(m), 'slots' .. shelf.number(bucket), size)
  local entry = struct.pack(ENTRY, bucket, stop - size, stop)
  call('SET', K.x_extents(x), string.sub(map, 1, at - 1) .. entry .. string.sub(map, at))
  widen(x, stop)
  return stop - size, stop
end

-- A run of up to `want` fresh slots of a bucket: its first (on a byte), their number, and the end of its last byte. The
-- slots in between are the caller's to give back.
function slots.run(m, bucket, want, hint)
  local fill = call('HGET', K.x_fill(m), bucket)
  local next_free, stop = 0, 0
  if fill then next_free, stop = struct.unpack('<I4I4', fill) end
  if next_free >= stop then next_free, stop = grow(m, bucket, hint or want) end
  local n = math.min(want, stop - next_free)
  local after = math.min(stop, math.ceil((next_free + n) / 8) * 8)
  call('HSET', K.x_fill(m), bucket, struct.pack('<I4I4', after, stop))
  return next_free, n, after
end

-- One slot of a bucket: a spare one, else a fresh one.
function slots.take(m, bucket)
  local spare = call('LPOP', K.x_spare(m, bucket))
  if spare then return tonumber(spare) end
  local first, n, after = slots.run(m, bucket, 1)
  slots.add_spare(m, bucket, first + n, after)
  return first
end

function slots.add_spare(m, bucket, first, stop)
  for slot = first, stop - 1 do call('RPUSH', K.x_spare(m, bucket), slot) end
end

function slots.give_back(m, bucket, slot)
  call('RPUSH', K.x_spare(m, bucket), slot)
end
