-- The bitmaps of a query, ANDed into one: the net. It may hold providers who do not fit (rims, ragged quarters,
-- do-not-disturb, those already asked), never lack one who does. Scratch results stay out of the append-only file.
--
-- A query: cell, areas, lat, lng, services, windows {{start, end}...} (ms), gap (ms), client (number), minute (local minute
-- of the day, now), asked {pno = true}.
local QUARTER, DAY = 900000, 86400000

local function keys_of_window(m, window)
  local keys = {}
  for quarter = math.floor(window[1] / QUARTER), math.ceil(window[2] / QUARTER) - 1 do
    keys[#keys + 1] = K.x_quarter(m, quarter)
  end
  return keys
end

-- Bits of those free in at least one window.
local function any_window(m, q)
  if #q.windows == 1 then return keys_of_window(m, q.windows[1]) end
  local each = {}
  for i, window in ipairs(q.windows) do
    each[i] = K.scratch(m, 'w' .. i)
    call('BITOP', 'AND', each[i], unpack(keys_of_window(m, window)))
  end
  call('BITOP', 'OR', K.scratch(m, 'w'), unpack(each))
  return { K.scratch(m, 'w') }
end

local function reaching(m, q)
  local keys = { K.x_inside(m, q.cell), K.x_rim(m, q.cell) }
  for _, area in ipairs(q.areas) do keys[#keys + 1] = K.x_area(m, area) end
  return keys
end

-- Casts the net and returns its key; net.drop must follow in the same call.
function net.cast(m, q)
  redis.set_repl(redis.REPL_NONE)
  q.netted = true
  call('BITOP', 'OR', K.scratch(m, 'geo'), unpack(reaching(m, q)))
  local all = any_window(m, q)
  for _, service in ipairs(q.services) do all[#all + 1] = K.x_service(m, service) end
  all[#all + 1] = K.scratch(m, 'geo')
  all[#all + 1] = K.x_askable(m)
  call('BITOP', 'AND', K.scratch(m, 'net'), unpack(all))
  return K.scratch(m, 'net')
end

-- The part of the net that must be looked at one by one.
function net.doubtful(m, q)
  local doubts = { K.x_rim(m, q.cell), K.x_disturb(m) }
  for _, window in ipairs(q.windows) do
    for day = math.floor(window[1] / DAY), math.floor((window[2] - 1) / DAY) do
      doubts[#doubts + 1] = K.x_ragged(m, day)
    end
  end
  call('BITOP', 'OR', K.scratch(m, 'doubt'), unpack(doubts))
  call('BITOP', 'AND', K.scratch(m, 'doubt'), K.scratch(m, 'doubt'), K.scratch(m, 'net'))
  return K.scratch(m, 'doubt')
end

function net.drop(m, q)
  local used = { K.scratch(m, 'geo'), K.scratch(m, 'net'), K.scratch(m, 'doubt'), K.scratch(m, 'w') }
  for i = 1, #q.windows do used[#used + 1] = K.scratch(m, 'w' .. i) end
  call('DEL', unpack(used))
  redis.set_repl(redis.REPL_ALL)
end
