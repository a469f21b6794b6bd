-- Newcomers, who have answered few proposals: a share of the market's seats is theirs (R6). What the market owes them is counted in
-- K.numbers, in parts of a seat: so waves of one honour the share too. Where rank gives them less, who gets a seat is drawn (draw.lua).
-- Under-performers (R7) take no part.
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

-- Those of a list who are newcomers {pno = true}, and how many.
function newcomers.among(m, list)
  local new, n = {}, 0
  for _, r in ipairs(list) do
    if shelf.number(r.bucket) < SHELVES.count - 1 and call('GETBIT', K.x_newcomer(shelf.of(m, r.bucket)), r.slot) == 1 then
      new[r.pno], n = true, n + 1
    end
  end
  return new, n
end

-- How many of so many seats are to be theirs, and what was owed before.
function newcomers.owed(m, size)
  local before = tonumber(call('HGET', K.numbers(m), 'newcomers') or 0)
  return math.max(0, math.min(size, math.floor((before + read.market(m).share * size) / SEAT))), before
end

-- So many seats were taken, `new` of them by newcomers. Neither what nobody was there for, nor what they got beyond their share, is
-- remembered for more than a seat.
function newcomers.settle(m, before, taken, new)
  local owed = before + read.market(m).share * taken - SEAT * new
  if taken > 0 then call('HSET', K.numbers(m), 'newcomers', math.max(-SEAT, math.min(SEAT, owed))) end
end
