-- The hours of a query as bitmaps.
local QUARTER = 900000

-- The bitmaps of the quarters of one window; nil when nobody works in one of them.
local function quarters_of(q, window)
  local keys = {}
  for quarter = math.floor(window[1] / QUARTER), math.ceil(window[2] / QUARTER) - 1 do keys[#keys + 1] = index.quarter(q.x, quarter) end
  local there = net.level(q, keys)
  return #there == #keys and there or nil
end

-- q.ragged: for each window, the bitmaps of those of its quarters that somebody has free only in part.
function net.ragged(q)
  q.ragged = {}
  for i, window in ipairs(q.windows) do
    local keys = {}
    for quarter = math.floor(window[1] / QUARTER), math.ceil(window[2] / QUARTER) - 1 do
      keys[#keys + 1] = index.quarter(q.x, quarter) .. ':part'
    end
    q.ragged[i] = call('EXISTS', unpack(keys)) > 0 and net.level(q, keys) or {}
  end
end

-- Hours: q.fit, a bitmap for each window (false: nobody is free). Returns what to AND: nil when nobody is free in any.
function net.hours(m, q)
  local some = {}
  q.fit = {}
  for i, window in ipairs(q.windows) do
    local keys = quarters_of(q, window)
    if keys and #q.windows == 1 and not q.apart then some = keys
    elseif keys then some[#some + 1] = net.join('AND', net.scratch(m, q, 'w' .. i), keys) end
    q.fit[i] = keys and some[#some] or false
  end
  if #some == 0 then return nil end
  return (#q.windows == 1 or #some == 1) and some or { net.join('OR', net.scratch(m, q, 'w'), some) }
end
