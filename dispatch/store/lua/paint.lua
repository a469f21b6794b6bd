-- paint: writes whole bytes of bitmaps for slots that `enroll` has just given to the caller alone, and that are empty.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, base (first quarter), width (bytes of a row), pieces {{byte in the row, byte of the bitmap, length}..} (one of any
--       length, or many of at most four bytes), at (uint16 quarters from base), bytes (their rows), sets {{template, part, row}..}, from
--       (which bitmap to begin with: quarters first, then sets)}
-- Replies: DONE {from or nil: where to go on, the call had its time}
-- Source: DESIGN (match index).
local READ, TYPE = { '>I1', '>I2', '>I3', '>I4' }, { 'u8', 'u16', 'u24', 'u32' }

local function bitmap(m, a, i, quarters)
  if i >= quarters then
    local set = a.sets[i - quarters + 1]
    return K[set[1]](m, set[2]), set[3]
  end
  local low, high = string.byte(a.at, 2 * i + 1, 2 * i + 2)
  return index.quarter(m, a.base + low + 256 * high), string.sub(a.bytes, i * a.width + 1, (i + 1) * a.width)
end

-- Writes a row; the length of the bitmap then.
local function write(key, row, pieces)
  if #pieces == 1 then return call('SETRANGE', key, pieces[1][2], row) end
  local command, n = { 'BITFIELD', key }, 2
  for i = 1, #pieces do
    local piece = pieces[i]
    local value = struct.unpack(READ[piece[3]], row, piece[1] + 1)
    if value > 0 then
      command[n + 1], command[n + 2], command[n + 3], command[n + 4] = 'SET', TYPE[piece[3]], piece[2] * 8, value
      n = n + 4
    end
  end
  if n > 2 then call(unpack(command, 1, n)) end
  return call('STRLEN', key)
end

function verbs.paint(m, a)
  local begun, full, quarters = clock.busy(), call('STRLEN', K.x_askable(m)), #a.at / 2
  for i = a.from, quarters + #a.sets - 1 do
    local key, row = bitmap(m, a, i, quarters)
    if write(key, row, a.pieces) < full then
      redis.set_repl(redis.REPL_NONE)
      net.pad(key, full)
      redis.set_repl(redis.REPL_ALL)
    end
    if (i % 16 == 15 or #a.pieces > 16) and index.over(begun) then return reply('DONE', { from = i + 1 }) end
  end
  return reply('DONE')
end
