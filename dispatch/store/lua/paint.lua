-- paint: writes whole bytes of bitmaps for slots that `enroll` has just given to the caller alone.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, base (first quarter), offset (byte of the run in every bitmap), width (bytes of the run), at (uint16 quarters from
--       base), bytes (width for each), sets {{template, part, bytes}..}}
-- Replies: DONE
-- Source: DESIGN (match index).
function verbs.paint(m, a)
  local width, quarter, sub = a.width, K.x_quarter, string.sub
  for i = 0, #a.at / 2 - 1 do
    local low, high = string.byte(a.at, 2 * i + 1, 2 * i + 2)
    call('SETRANGE', quarter(m, a.base + low + 256 * high), a.offset, sub(a.bytes, i * width + 1, (i + 1) * width))
  end
  for _, set in ipairs(a.sets) do call('SETRANGE', K[set[1]](m, set[2]), a.offset, set[3]) end
  return reply('DONE')
end
