-- The hours of a query as bitmaps.
local QUARTER = 900000

-- The bitmaps of the quarters of one window, and of those of them that somebody has free only in part.
local function quarters_of(q, window)
  local keys, ragged = {}, {}
  for quarter = math.floor(window[1] / QUARTER), math.ceil(window[2] / QUARTER) - 1 do
    keys[#keys + 1], ragged[#ragged + 1] = index.quarter(q.x, quarter), index.quarter(q.x, quarter) .. ':part'
  end
  ragged = call('EXISTS', unpack(ragged)) > 0 and net.level(q, ragged) or {}
  local there = net.level(q, keys)
  return #there == #keys and there or nil, ragged
end

-- Hours: q.fit, a bitmap for each window (false: nobody is free), q.ragged. Returns what to AND: nil when nobody is free in any.
function net.hours(m, q)
  local some = {}
  q.fit, q.ragged = {}, {}
  for i, window in ipairs(q.windows) do
    local keys, ragged = quarters_of(q, window)
    if keys and #q.windows == 1 and not q.apart then some = keys
    elseif keys then some[#some + 1] = net.join('AND', net.scratch(m, q, 'w' .. i), keys) end
    q.fit[i], q.ragged[i] = keys and some[#some] or false, ragged
  end
  if #some == 0 then return nil end
  return (#q.windows == 1 or #some == 1) and some or { net.join('OR', net.scratch(m, q, 'w'), some) }
end
