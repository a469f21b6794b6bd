-- paint: writes whole bytes of bitmaps for slots that `enroll` has just given to the caller alone.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, bytes {{template, part, offset, bytes}..}}
-- Replies: DONE
-- Source: DESIGN (match index).
function verbs.paint(m, a)
  for _, w in ipairs(a.bytes) do call('SETRANGE', K[w[1]](m, w[2]), w[3], w[4]) end
  return reply('DONE')
end
