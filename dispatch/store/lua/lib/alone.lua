-- One provider against one booking, without a net: what index and facts say of him alone. The twin of matcher.fits for who appears.
local QUARTER = 900000

-- Whether he works all of a window, and holds no visit that comes too close to it.
local function free(m, r, window, gap)
  local partly = false
  for quarter = math.floor(window[1] / QUARTER), math.ceil(window[2] / QUARTER) - 1 do
    local key = index.quarter(r.x, quarter)
    if call('GETBIT', key, r.slot) == 0 then return false end
    partly = partly or call('GETBIT', key .. ':part', r.slot) == 1
  end
  if not partly then return true end
  local spans = call('HGET', K.x_spans(m), r.pno)
  return (not spans or fits.within(spans, window)) and not fits.overlap(m, r.pno, window, gap)
end

local function offers(r, services)
  for i = 2, #services do -- the first one led here
    if call('GETBIT', K.x_service(r.x, services[i]), r.slot) == 0 then return false end
  end
  return true
end

local function apart(m, bno, r, client, round)
  if call('SISMEMBER', K.blocks(m, client), r.pno) == 1 then return true end
  local p = seats.get(m, bno, r.pno)
  return p and seats.out(p, round)
end

-- The indexes (from 0) of the windows that fit the provider of record `r` (who may be asked, and is not to be left in peace), and how far
-- away (m) he is; nil: he does not fit. `brief` as in lib/vacancy.lua.
function fits.alone(m, bno, brief, r, gap)
  local q = { x = r.x, lat = brief[2], lng = brief[3], areas = brief[4] }
  if not offers(r, brief[5]) or not geometry.covers(m, q, r) then return nil end
  local windows = {}
  for i, window in ipairs(brief[6]) do
    if free(m, r, window, gap) then windows[#windows + 1] = i - 1 end
  end
  if #windows == 0 or apart(m, bno, r, brief[7], brief[8]) then return nil end
  return windows, r.kind == 3 and -1 or math.floor(geometry.distance(r.lat, r.lng, q.lat, q.lng) + 0.5)
end
