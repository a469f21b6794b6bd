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

local function ragged(m, window, slot)
  for day = math.floor(window[1] / DAY), math.floor((window[2] - 1) / DAY) do
    if call('GETBIT', K.x_ragged(m, day), slot) == 1 then return true end
  end
  return false
end

local function windows_of(m, q, r)
  -- the net has settled a single window, but for a day with ragged quarters
  if q.netted and #q.windows == 1 and not ragged(m, q.windows[1], r.slot) then return { 0 } end
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

function fits.check(m, q, r)
  local covered, far = geometry.covers(m, q, r)
  if not covered then return nil, 'zone' end
  local windows, reason = windows_of(m, q, r)
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
