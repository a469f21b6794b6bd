-- Newcomers, who have answered few proposals: a share of the market's seats is theirs, and who gets one is drawn evenly (R6). What the
-- market owes them is counted in K.numbers, in parts of a seat: so waves of one honour the share too. Under-performers (R7) take no part.
local SEAT = 10000

-- The bit of a provider who has answered so often.
function newcomers.mark(m, x, slot, answered)
  call('SETBIT', K.x_newcomer(x), slot, answered < read.market(m).newcomer and 1 or 0)
end

-- He has answered once more.
function newcomers.answered(m, pno)
  if call('HINCRBY', K.provider(m, pno), 'answered', 1) ~= read.market(m).newcomer then return end
  local x, slot = shelf.place(m, pno)
  call('SETBIT', K.x_newcomer(x), slot, 0)
end

-- How many of so many seats are theirs, and what was owed before.
function newcomers.owed(m, size)
  local share = read.market(m).share
  if share == 0 then return 0, 0 end
  local before = tonumber(call('HGET', K.numbers(m), 'newcomers') or 0)
  return math.max(0, math.min(size, math.floor((before + share * size) / SEAT))), before
end

-- So many seats were taken, `drawn` of them by newcomers. What nobody was there for is owed on, up to one seat.
function newcomers.settle(m, before, taken, drawn)
  local share = read.market(m).share
  if share > 0 and taken > 0 then call('HSET', K.numbers(m), 'newcomers', math.min(SEAT, before + share * taken - SEAT * drawn)) end
end
