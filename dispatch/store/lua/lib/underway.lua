-- A count that is no burden to the call that also searches: of small nets with few in doubt, most of them cast anyway.
local AT_ONCE, SMALL = 16, 4096 -- doubtful ones, bytes of bitmaps: a count that seems to become longer goes on in a call of its own

-- `n` so far, `behind` of them on the last shelf (R7), `from` {shelf, slot}: where another call goes on (nil: nowhere).
function tally.begin()
  return { n = 0, behind = 0, bytes = 0, doubts = 0, begun = clock.busy() }
end

-- Whether the count goes on with the shelf at hand: while its net is cast anyway, or is a small one.
function tally.goes_on(q, t, number, anyway)
  if t.from then return false end
  t.bytes = t.bytes + q.full
  if not anyway and t.bytes > SMALL then t.from = { number, 0 } end
  return not t.from
end

function tally.add(m, q, t, number)
  if q.size == 0 then return end
  if t.bytes <= SMALL then
    net.doubt(m, q)
    t.doubts = t.doubts + q.doubts
  end
  if t.bytes > SMALL or t.doubts > AT_ONCE * (number + 1) / SHELVES.count then
    t.from = { number, 0 }
    return
  end
  local n, stop = tally.shelf(m, q, 0, AT_ONCE, t.begun)
  t.n, t.from = t.n + n, stop and { number, stop }
  if number == SHELVES.count - 1 then t.behind = n end
end
