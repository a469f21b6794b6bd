-- The bitmaps of a shelf, ANDed into one: the net of a query there. It may hold providers who do not fit (rims, quarters free only in
-- part, those asked or blocked), never lack one who does. Scratch results stay out of the append-only file.
--
-- A query: cells, areas, lat, lng, services, windows {{start, end}...} (ms), gap (ms), client (number), minute (local minute
-- of the day, now), asked {pno = true}.

-- A bitmap of those who may not fit although they are in the net (and of others): on a rim, in a quarter that they are free in only in
-- part, or in one that is partly in their do-not-disturb hours. Only counts and crowds need it.
function net.unsure(m, q)
  if q.unsure then return q.unsure end
  local keys = { q.frayed or q.stirs, q.frayed and q.stirs }
  for i = 1, q.sizes do keys[#keys + 1] = K.x_rim(q.x, q.cells[i]) end
  keys = net.level(q, keys)
  q.unsure = #keys == 1 and keys[1] or net.scratch(m, q, 'unsure')
  if #keys > 1 then net.join('OR', q.unsure, keys) end
  return q.unsure
end

-- Those of the net that are in doubt: q.doubt, and their number q.doubts.
function net.doubt(m, q)
  if q.doubt or q.size == 0 then return end
  q.doubt = net.join('AND', net.scratch(m, q, 'doubt'), { q.net, net.unsure(m, q) })
  q.doubts = call('BITCOUNT', q.doubt)
end

-- Those of the doubts that a single look must know of: q.frayed, who has some quarter of the windows free only in part; q.stirs, whose
-- do-not-disturb hours begin or end in this quarter (nil: nobody).
local function blemishes(m, q)
  local some = {}
  net.ragged(q)
  for _, ragged in ipairs(q.ragged) do for _, key in ipairs(ragged) do some[#some + 1] = key end end
  if #some > 0 then q.frayed = net.join('OR', net.scratch(m, q, 'frayed'), some) end
  q.stirs = net.level(q, { K.x_stir(q.x, math.floor(q.minute / 15)) })[1]
end

-- Those who work then, do all of it and may be asked, as a bitmap; nil when nobody does: most shelves where nobody fits end here.
local function willing(m, q)
  local all, keys = net.hours(m, q), { q.askable }
  if not all then return nil end
  for i, service in ipairs(q.services) do keys[i + 1] = K.x_service(q.x, service) end
  local there = net.level(q, keys)
  if #there < #keys then return nil end
  for i = 1, #there do all[#all + 1] = there[i] end
  local found = net.join('AND', net.scratch(m, q, 'net'), all)
  return call('BITPOS', found, 1) >= 0 and found or nil
end

-- The query turns to a shelf; false: it has no slots.
function net.turn(m, q, number)
  q.x = shelf.at(m, number)
  q.askable = K.x_askable(q.x)
  q.full, q.size, q.doubts = call('STRLEN', q.askable), 0, 0
  q.doubt, q.unsure, q.frayed, q.stirs = nil, nil, nil, nil
  return q.full > 0
end

-- Casts the net on that shelf: q.net and its size (0: nobody).
function net.cast(m, q)
  local near = net.near(q)
  q.net = near and willing(m, q)
  local reach = q.net and net.reach(m, q, near)
  if not reach then return end
  local all, asleep = { q.net, reach }, K.x_disturb(q.x, math.floor(q.minute / 15))
  if net.whole(q, asleep) then all[3] = net.join('NOT', net.scratch(m, q, 'awake'), { asleep }) end
  net.join('AND', q.net, all)
  q.size = call('BITCOUNT', q.net)
  if q.size > 0 then blemishes(m, q) end
end
