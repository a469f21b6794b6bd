-- Which counteroffers are open, whether one can be accepted, and when those held back are shown (R24).
local P, STATE, ROUND, WINDOWS = 1, 2, 3, 6 -- see offers.lua
local OPEN = { held = true, shown = true }
local CLOSED = { declined = 'DECLINED', expired = 'EXPIRED', accepted = 'LOST', withdrawn = 'LOST', held = 'HELD' }

-- Those of a booking that are open; of a provider, where `pno` is given.
function offers.open(m, bno, pno)
  local out = {}
  for _, kept in ipairs(call('HVALS', K.counteroffers(m, bno))) do
    local one = cmsgpack.unpack(kept)
    if OPEN[one[STATE]] and (not pno or one[P] == pno) then out[#out + 1] = one end
  end
  return out
end

-- How many a provider has made in this round of the booking.
function offers.made(m, b, pno)
  local n = 0
  for _, kept in ipairs(call('HVALS', K.counteroffers(m, b.no))) do
    local one = cmsgpack.unpack(kept)
    if one[P] == pno and one[ROUND] == b.round then n = n + 1 end
  end
  return n
end

function offers.close_all(m, b)
  for _, one in ipairs(offers.open(m, b.no)) do offers.close(m, b, one, 'withdrawn') end
end

function offers.close_his(m, b, pno)
  if not b.offers then return end -- there never was one
  for _, one in ipairs(offers.open(m, b.no, pno)) do offers.close(m, b, one, 'withdrawn') end
end

-- Whether some window of what he has offered for a booking fits beside the visits he holds.
function offers.fits(m, b, pno, gap)
  for _, one in ipairs(offers.open(m, b.no, pno)) do
    for _, window in ipairs(one[WINDOWS]) do
      if not fits.overlap(m, pno, window, gap) then return true end
    end
  end
  return false
end

-- Why the client cannot accept it, else the index of the window in the booking, and the window.
function offers.refusal(m, a, b, p)
  local one = b and p and offers.get(m, b.no, a.offer)
  if not one or one[P] ~= a.p or one[ROUND] ~= b.round then return 'NOT_ASKED' end
  if b.state ~= 'searching' and b.state ~= 'unfilled' then return 'LOST' end -- ops have it, or it is settled
  if offers.state(one) ~= 'shown' then return CLOSED[offers.state(one)] end
  local window = one[WINDOWS][a.window + 1]
  if not window then return 'BAD_WINDOW' end
  if window[1] - clock.now() < a.cutoff then return 'TOO_LATE' end
  if rights.barred(m, a.p, b.client) then return 'NOT_ASKED' end
  if fits.overlap(m, a.p, window, read.market(m).gap) then return 'OVERLAP' end
  return nil, 0, window
end

-- The client has accepted it: that is the booking's only window from now on. A search that was over goes on for this step.
function offers.agree(m, b, number, p, window)
  booking.load(m, b)
  if b.state == 'unfilled' then booking.move(m, b, 'extend') end
  b.spans, b.ends, b.query.windows, b.version, p[S.windows] = { window }, { b.deadline }, { window }, b.version + 1, { 0 }
  call('HSET', K.booking(m, b.no), 'version', b.version, 'start', window[1], 'windows', cmsgpack.pack(b.spans),
    'ends', cmsgpack.pack(b.ends))
  call('HSET', K.who(m, b.no), 'query', cmsgpack.pack(b.query))
  event.add(m, b.no, 'CounterofferAccepted', { p = offers.get(m, b.no, number)[P], offer = number, windows = b.spans })
  offers.close(m, b, offers.get(m, b.no, number), 'accepted')
  gauge.add(m, 'count.counteroffers_accepted', 1)
  return 0
end
