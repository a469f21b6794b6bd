-- Extents in rank order: the runs of slots of each bucket (see slots.lua).
local ENTRY, WIDTH, PIECE = '<BI4I4', 9, 64

-- The extents of a shelf in rank order, as an iterator of bucket and its list of {first, stop}. Read in pieces: most searches need few.
function slots.buckets(x)
  local key, map, at = K.x_extents(x), '', 1
  local function more()
    local piece = call('GETRANGE', key, #map, #map + WIDTH * PIECE - 1)
    map = map .. piece
    return #piece > 0
  end
  return function()
    local bucket, runs
    while at <= #map or more() do
      local b, first, stop = struct.unpack(ENTRY, map, at)
      if runs and b ~= bucket then break end
      bucket, runs = b, runs or {}
      runs[#runs + 1] = { first, stop }
      at = at + WIDTH
    end
    return bucket, runs
  end
end

-- The same runs, beginning with slot `turn` (on a byte) and ending with what lies before it.
function slots.rotated(runs, turn)
  local out, before = {}, {}
  for _, r in ipairs(runs) do
    if turn >= r[2] then before[#before + 1] = r
    elseif turn > r[1] then
      table.insert(out, 1, { turn, r[2] })
      before[#before + 1] = { r[1], turn }
    else out[#out + 1] = r end
  end
  for _, r in ipairs(before) do out[#out + 1] = r end
  return out
end
