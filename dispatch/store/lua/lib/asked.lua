-- Who has been asked for a booking in its round. Some may be asked once more: those from whom ops took their proposal before they gave the
-- search back, and those whose proposal ended with a search that was extended.
local AGAIN = { handed_back = true, extended = true } -- reasons for which a proposal has ended

-- All of the round who stay out {pno = true}. In b.before: the state of an earlier proposal that a new one would replace.
function seats.asked(m, b)
  local asked = {}
  b.before = {}
  for pno, p in pairs(seats.all(m, b.no)) do
    if seats.out(p, b.round) then asked[pno] = true
    elseif p[S.round] == b.round then b.before[pno] = p[S.state] end
  end
  return asked
end

-- Whether this proposal keeps its provider out of the round.
function seats.out(p, round)
  return p[S.round] == round and not AGAIN[p[S.reason]]
end

-- A new proposal takes the place of an earlier one to the same provider.
function seats.supersede(m, state)
  if state then gauge.add(m, 'proposals.' .. state, -1) end
end

-- Those whose proposal of this round has ended as `state` for `reason` may be asked again: `again` is the reason from now on.
function seats.ask_again(m, b, state, reason, again)
  for pno, p in pairs(seats.all(m, b.no)) do
    if p[S.round] == b.round and p[S.state] == state and p[S.reason] == reason then
      p[S.reason] = again
      seats.put(m, b.no, pno, p)
    end
  end
end
