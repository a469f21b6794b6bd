-- The exact test of one provider: the twin of matcher.fits, for what the bitmaps cannot settle. Returns the indexes (from 0) of
-- the windows that fit and the distance (m), or nil and the first reason in the order of R2.
local DAY, MINUTE = 86400000, 60000

-- Whether exact spans (uint32 minute pairs, sorted) hold the window.
local function within(spans, window)
  for i = 1, #spans, 8 do
    local from, to = struct.unpack('<I4I4', spans, i)
    if from * MINUTE <= window[1] and window[2] <= to * MINUTE then return true end
  end
  return false
end

local function works(m, r, window)
  for quarter = math.floor(window[1] / 900000), math.ceil(window[2] / 900000) - 1 do
    if call('GETBIT', K.x_quarter(m, quarter), r.slot) == 0 then return false end
  end
  local spans = call('HGET', K.x_spans(m), r.pno)
  return not spans or within(spans, window)
end

-- Whether a visit he holds comes closer to the window than the travel gap.
function fits.overlap(m, pno, window, gap)
  for _, visit in ipairs(call('ZRANGEBYSCORE', K.visits(m, pno), window[1] - gap - DAY, '(' .. window[2] + gap)) do
    local from, to = string.match(visit, ':(%d+):(%d+)$')
    if tonumber(from) < window[2] + gap and window[1] < tonumber(to) + gap then return true end
  end
  return false
end

-- Whether the bits of a window may be wrong for a slot: a quarter of that day is free only in part.
local function ragged(q, slot)
  for _, key in ipairs(q.ragged) do
    if call('GETBIT', key, slot) == 1 then return true end
  end
  return false
end

-- The indexes (from 0) of the windows that fit, or nil and the reason. What the net has settled is not looked at again.
function fits.windows(m, q, r)
  if q.net and #q.windows == 1 and not ragged(q, r.slot) then return { 0 } end
  local out, reason = {}, 'hours'
  for i, window in ipairs(q.windows) do
    if fits.overlap(m, r.pno, window, q.gap) then reason = 'overlap'
    elseif works(m, r, window) then out[#out + 1] = i - 1 end
  end
  if #out == 0 then return nil, reason end
  return out
end

local function disturbed(q, r)
  if r.flags == 0 then return false end
  if r.dnd_from < r.dnd_to then return r.dnd_from <= q.minute and q.minute < r.dnd_to end
  return r.dnd_from <= q.minute or q.minute < r.dnd_to
end

-- Whether one whom the net holds in doubt fits (asked and blocked are the caller's). Quick for circles that are plain either way.
function fits.doubtful(m, q, slot, pno, text, pos)
  local kind, flags, dnd_from, dnd_to, lat, lng, radius = struct.unpack('<BBHHi4i4I4', text, pos + 12)
  local r = kind == 1 and geometry.plainly(q, lat, lng, radius)
  if r == false then return false end
  if r == true and flags == 0 and #q.ragged == 0 then return true end
  r = { slot = slot, pno = pno, kind = kind, flags = flags, dnd_from = dnd_from, dnd_to = dnd_to, lat = lat, lng = lng, radius = radius }
  return geometry.covers(m, q, r) and fits.windows(m, q, r) ~= nil and not disturbed(q, r)
end

function fits.check(m, q, r)
  local covered, far = geometry.covers(m, q, r)
  if not covered then return nil, 'zone' end
  local windows, reason = fits.windows(m, q, r)
  if not windows then return nil, reason end
  if q.blocked[r.pno] then return nil, 'blocked' end
  if q.asked[r.pno] then return nil, 'asked' end
  if disturbed(q, r) then return nil, 'do_not_disturb' end
  return windows, far
end

-- What fits.check needs beside the stored query: who is blocked with the client, who was asked in this round.
function fits.prepare(m, q, asked)
  q.blocked, q.asked = {}, asked or {}
  if q.client then
    for _, pno in ipairs(call('SMEMBERS', K.blocks(m, q.client))) do q.blocked[tonumber(pno)] = true end
  end
  return q
end
