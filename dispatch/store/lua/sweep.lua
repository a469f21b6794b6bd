-- sweep: clears the bits of a slot that somebody has left, and gives it back. Nobody else has it until then.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, bucket, slot, writes (see lib/index.lua), at {group, part}}
-- Replies: DONE {at or nil: where to go on}
-- Source: DESIGN (match index).
function verbs.sweep(m, a)
  local at = index.write(shelf.of(m, a.bucket), a.slot, a.writes, a.at, clock.busy())
  if not at then slots.give_back(m, a.bucket, a.slot) end
  return reply('DONE', { at = at })
end
