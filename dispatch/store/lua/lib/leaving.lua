-- How proposals end, and what that frees.
local PIECE = 2000 -- values of one command: Lua's stack has an end

-- Ends the live time of a proposal, its place under the cap is free again: how many seats of the booking that frees.
local function unseat(m, pno, p)
  if p[S.live] ~= 1 then return 0 end
  p[S.live] = 0
  gauge.add(m, 'proposals.live', -1)
  seats.count(m, pno, -1)
  return p[S.replaced] == 1 and 0 or 1
end

local function free(m, bno, n)
  offers.eased(bno)
  if n > 0 then call('HINCRBY', K.booking(m, bno), 'live', -n) end
end

function seats.release(m, bno, pno, p)
  free(m, bno, unseat(m, pno, p))
end

-- A proposal leaves its state for good; it and the booking are yet to be written. Returns the seats that frees.
local function ended(m, bno, pno, p, state, reason)
  local freed = unseat(m, pno, p)
  if p[S.kind] == 'ordinary' then keen.ended(m, pno, p, state) end -- forecasts are of ordinary waves
  gauge.add(m, 'proposals.' .. p[S.state], -1)
  gauge.add(m, 'proposals.' .. state, 1)
  p[S.state], p[S.reason], p[S.ended] = state, reason or null, clock.now()
  call('HDEL', K.open(m, pno), 'p' .. bno)
  return freed
end

-- `n` proposals of the booking have ended. Whoever decided on it as it was before has decided in vain (rev).
local function left(m, bno, state, n, freed)
  free(m, bno, freed)
  call('HINCRBY', K.booking(m, bno), 'rev', n)
  if state ~= 'accepted' then call('HSET', K.booking(m, bno), 'said_no', 1) end
end

function seats.close(m, bno, pno, p, state, reason)
  local freed = ended(m, bno, pno, p, state, reason)
  seats.put(m, bno, pno, p)
  left(m, bno, state, 1, freed)
end

-- Every device of its provider is told why an open proposal has been taken back.
local function taken_back(m, b, pno, p, reason)
  seats.tell_gone(m, b, pno, p, reason)
  event.add(m, b.no, 'Withdrawn', { p = pno, reason = reason })
end

function seats.withdraw(m, b, pno, p, state, reason)
  seats.close(m, b.no, pno, p, state, reason)
  taken_back(m, b, pno, p, reason)
end

-- Everyone who still holds an open proposal of the booking loses it. `told`: the reason as devices hear it, where it is another.
function seats.withdraw_all(m, b, state, reason, told)
  local flat, freed = {}, 0
  for pno, p in pairs(seats.all(m, b.no)) do
    if seats.stands(p) then
      freed = freed + ended(m, b.no, pno, p, state, reason)
      flat[#flat + 1], flat[#flat + 2] = pno, cmsgpack.pack(p)
      taken_back(m, b, pno, p, told or reason)
    end
  end
  for i = 1, #flat, PIECE do call('HSET', K.proposals(m, b.no), unpack(flat, i, math.min(#flat, i + PIECE - 1))) end
  if #flat > 0 then left(m, b.no, state, #flat / 2, freed) end
  if b.offers and reason ~= 'expired' then offers.close_all(m, b) end -- an expired search leaves what was offered instead
end
