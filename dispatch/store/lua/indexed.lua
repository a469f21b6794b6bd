-- indexed: every provider has been written under the settings of this basis; kept unless they have changed since.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, basis}
-- Replies: DONE
-- Source: DESIGN (match index).
function verbs.indexed(m, a)
  if read.market(m).basis == a.basis then call('HSET', K.market(m), 'indexed', a.basis) end
  return reply('DONE')
end
