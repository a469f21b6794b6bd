-- The exact test of one provider: the twin of matcher.fits, for what the bitmaps cannot settle.
local DAY, MINUTE, ONE = 86400000, 60000, { 0 }

-- Whether exact spans (uint32 minute pairs, sorted) hold the window.
function fits.within(spans, window)
  for i = 1, #spans, 8 do
    local from, to = struct.unpack('<I4I4', spans, i)
    if from * MINUTE <= window[1] and window[2] <= to * MINUTE then return true end
  end
  return false
end

-- Whether a visit he holds comes closer to the window than the travel gap.
function fits.overlap(m, pno, window, gap)
  for _, visit in ipairs(call('ZRANGEBYSCORE', K.visits(m, pno), window[1] - gap - DAY, '(' .. window[2] + gap)) do
    local from, to = string.match(visit, ':(%d+):(%d+)$')
    if tonumber(from) < window[2] + gap and window[1] < tonumber(to) + gap then return true end
  end
  return false
end

-- Whether he works all of window `i`, visits aside; `partly`: some quarter of it is free only in part.
function fits.works(m, q, slot, pno, i)
  if (#q.windows > 1 or q.apart) and (not q.fit[i] or call('GETBIT', q.fit[i], slot) == 0) then return false end
  for _, key in ipairs(q.ragged[i]) do
    if call('GETBIT', key, slot) == 1 then
      local spans = call('HGET', K.x_spans(m), pno)
      return not spans or fits.within(spans, q.windows[i]), true
    end
  end
  return true
end

-- The indexes (from 0) of the windows that fit one who is in the net.
function fits.windows(m, q, slot, pno)
  if #q.windows == 1 and not q.frayed and not q.apart then return ONE end
  local out = {}
  for i, window in ipairs(q.windows) do
    local works, partly = fits.works(m, q, slot, pno, i)
    if works and not (partly and fits.overlap(m, pno, window, q.gap)) then out[#out + 1] = i - 1 end
  end
  return out
end

function fits.disturbed(q, from, to)
  if from < to then return from <= q.minute and q.minute < to end
  return from <= q.minute or q.minute < to
end

-- Whether some window fits one who has a quarter of it free only in part.
local function in_part(m, q, slot, pno)
  if #q.windows > 1 then return #fits.windows(m, q, slot, pno) > 0 end
  local spans = call('HGET', K.x_spans(m), pno)
  return (not spans or fits.within(spans, q.windows[1])) and not fits.overlap(m, pno, q.windows[1], q.gap)
end

-- Whether one whom the net holds in doubt fits (those asked or blocked are the caller's); `fray`: he is in q.frayed. Most are circles.
function fits.doubtful(m, q, slot, pno, lat, lng, radius, kind, fray)
  q.work = q.work + 1
  if kind % 8 == 1 then
    local inside = q.plainly(lat, lng, radius)
    if inside == nil then inside = geometry.distance(lat, lng, q.lat, q.lng) <= radius end
    if not inside or not fray and (kind == 1 or not q.stirs) then return inside end
  elseif kind % 8 == 2 and not geometry.in_zone(m, q, pno) then return false end
  if fray and not in_part(m, q, slot, pno) then return false end
  if not q.stirs or kind < 8 then return true end
  local r = record.read(q.x, slot)
  return not fits.disturbed(q, r.dnd_from, r.dnd_to)
end

-- A query, ready for its shelves. Who stays out: those asked in this round {pno = true}, and those blocked with the client.
function fits.prepare(m, q, asked)
  q.out, q.work, q.plainly = asked or {}, 0, geometry.plainly(q)
  local blocked = q.client and call('SMEMBERS', K.blocks(m, q.client)) or {}
  for i = 1, #blocked do q.out[tonumber(blocked[i])] = true end
  return q
end
