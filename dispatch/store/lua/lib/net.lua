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

-- The bitmaps of ragged quarters on the days of the windows, where there are any.
local function ragged_days(m, q)
  local keys = {}
  for _, window in ipairs(q.windows) do
    for day = math.floor(window[1] / DAY), math.floor((window[2] - 1) / DAY) do
      if call('EXISTS', K.x_ragged(m, day)) == 1 then keys[#keys + 1] = K.x_ragged(m, day) end
    end
  end
  return keys
end

local function reaching(m, q)
  local keys = { K.x_inside(m, q.cell), K.x_rim(m, q.cell) }
  for _, area in ipairs(q.areas) do keys[#keys + 1] = K.x_area(m, area) end
  return keys
end

-- Casts the net: q.net, and q.doubt for the part that must be looked at one by one; net.drop must follow in the same call.
function net.cast(m, q)
  redis.set_repl(redis.REPL_NONE)
  q.net, q.doubt, q.ragged = K.scratch(m, 'net'), K.scratch(m, 'doubt'), ragged_days(m, q)
  call('BITOP', 'OR', q.doubt, unpack(reaching(m, q)))
  local all = any_window(m, q)
  for _, service in ipairs(q.services) do all[#all + 1] = K.x_service(m, service) end
  all[#all + 1], all[#all + 2] = q.doubt, K.x_askable(m)
  call('BITOP', 'AND', q.net, unpack(all))
  call('BITOP', 'OR', q.doubt, K.x_rim(m, q.cell), K.x_disturb(m), unpack(q.ragged))
  call('BITOP', 'AND', q.doubt, q.doubt, q.net)
end

function net.drop(m, q)
  local used = { q.net, q.doubt, K.scratch(m, 'w') }
  for i = 1, #q.windows do used[#used + 1] = K.scratch(m, 'w' .. i) end
  call('DEL', unpack(used))
  redis.set_repl(redis.REPL_ALL)
end
