-- The place of a query as bitmaps. Zones of usual size have a net of the smallest cells.

-- Larger cells matter only where somebody's zone is larger: whether any does. q.sizes: how many sizes there are.
local function larger(q)
  local x, cells = q.x, q.cells
  q.sizes = call('EXISTS', K.x_reach(x, cells[2]), K.x_reach(x, cells[3]), K.x_reach(x, cells[4])) > 0 and 4 or 1
  return q.sizes > 1
end

-- The bitmaps of the smallest cell and of the areas; nil when nobody comes near the place.
function net.near(q)
  local keys = { K.x_reach(q.x, q.cells[1]) }
  for i, area in ipairs(q.areas) do keys[i + 1] = K.x_area(q.x, area) end
  keys = net.level(q, keys)
  return (#keys > 0 or larger(q)) and keys or nil
end

-- All who may reach the place; `keys` are those of net.near.
function net.reach(m, q, keys)
  if larger(q) then
    local some = net.level(q, { K.x_reach(q.x, q.cells[2]), K.x_reach(q.x, q.cells[3]), K.x_reach(q.x, q.cells[4]) })
    for i = 1, #some do keys[#keys + 1] = some[i] end
  end
  return #keys > 1 and net.join('OR', net.scratch(m, q, 'reach'), keys) or keys[1]
end
