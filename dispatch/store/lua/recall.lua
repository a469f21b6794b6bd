-- recall: takes back every open proposal of a provider who may not be asked any more, and gives his seats to others.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, p}
-- Replies: DONE {recalled}
-- Source: SPEC.md R2, R15 (reason: ops).
function verbs.recall(m, a)
  local open = seats.held(m, a.p)
  for _, held in ipairs(open) do
    seats.withdraw(m, held[1], a.p, held[2], 'withdrawn', 'ops')
    seats.attend(m, held[1].no)
  end
  return reply('DONE', { recalled = #open })
end
