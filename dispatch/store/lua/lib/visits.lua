-- The visits a provider holds, and the quarter-hours they take out of the index (the travel gap on both sides included).
local QUARTER = 900000

local function around(visit_start, visit_end, gap)
  return visit_start - gap, visit_end + gap
end

-- Quarters that [from, to) fills wholly lose their bit; those that it fills only in part are marked.
local function block(x, slot, from, to)
  for quarter = math.ceil(from / QUARTER), math.floor(to / QUARTER) - 1 do call('SETBIT', index.quarter(x, quarter), slot, 0) end
  if from % QUARTER ~= 0 then call('SETBIT', K.x_ragged(x, math.floor(from / QUARTER)), slot, 1) end
  if to % QUARTER ~= 0 then call('SETBIT', K.x_ragged(x, math.floor(to / QUARTER)), slot, 1) end
end

function visits.hold(m, pno, bno, window, gap)
  call('ZADD', K.visits(m, pno), window[1], bno .. ':' .. window[1] .. ':' .. window[2])
  past.note(m, pno, past.VISIT, window[1], window[2])
  local x, slot = shelf.place(m, pno)
  block(x, slot, around(window[1], window[2], gap))
end

-- Gives the time back: `working` are the quarters of his own hours around it; what other visits take stays taken.
function visits.free(m, pno, bno, window, gap, working)
  call('ZREM', K.visits(m, pno), bno .. ':' .. window[1] .. ':' .. window[2])
  past.note(m, pno, past.FREED, window[1], window[2])
  local x, slot = shelf.place(m, pno)
  for _, quarter in ipairs(working) do call('SETBIT', index.quarter(x, quarter), slot, 1) end
  visits.block_all(m, pno, gap)
  vacancy.wake(m, pno)
end

-- A visit of his has left his diary before its time: bookings that wait may meet him (R18).
function visits.freed(m, pno)
  event.note(m, 'Freed', { p = pno })
end

-- Takes every visit he holds out of the index (after his hours were written anew).
function visits.block_all(m, pno, gap)
  local x, slot = shelf.place(m, pno)
  for _, visit in ipairs(call('ZRANGE', K.visits(m, pno), 0, -1)) do
    local from, to = string.match(visit, ':(%d+):(%d+)$')
    block(x, slot, around(tonumber(from), tonumber(to), gap))
  end
end
