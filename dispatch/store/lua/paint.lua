-- paint: writes whole bytes of bitmaps for slots of a shelf that `enroll` has just given to the caller alone, and that are empty.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, shelf, base (first quarter), width (bytes of a row), pieces {{byte in the row, byte of the bitmap, length}..} (one
--       of any length, or many of at most four bytes), at (uint16 quarters from base), bytes (their rows), sets {{template, part, row}..},
--       from (which bitmap to begin with: quarters first, then sets)}
-- Replies: DONE {from or nil: where to go on, the call had its time}
-- Source: DESIGN (match index).
local function bitmap(x, a, i, quarters)
  if i >= quarters then
    local set = a.sets[i - quarters + 1]
    return K[set[1]](x, set[2]), set[3]
  end
  local low, high = string.byte(a.at, 2 * i + 1, 2 * i + 2)
  return index.quarter(x, a.base + low + 256 * high), string.sub(a.bytes, i * a.width + 1, (i + 1) * a.width)
end

function verbs.paint(m, a)
  local begun, x, quarters = clock.busy(), shelf.at(m, a.shelf), #a.at / 2
  local full = call('STRLEN', K.x_askable(x))
  for i = a.from, quarters + #a.sets - 1 do
    local key, row = bitmap(x, a, i, quarters)
    if index.paint(key, row, a.pieces) < full then
      redis.set_repl(redis.REPL_NONE)
      net.pad(key, full)
      redis.set_repl(redis.REPL_ALL)
    end
    if (i % 16 == 15 or #a.pieces > 16) and index.over(begun) then return reply('DONE', { from = i + 1 }) end
  end
  return reply('DONE')
end
