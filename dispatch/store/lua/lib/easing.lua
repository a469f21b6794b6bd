-- When every other proposal of a booking is answered or stale, the counteroffers that were held back are shown to the client (R24).

-- A seat of the booking may be free: looked at when the verb ends.
function offers.eased(bno)
  woken.eased = woken.eased or {}
  woken.eased[tonumber(bno)] = true
end

-- Whether somebody still has time to answer.
function offers.awaited(m, bno)
  for _, p in pairs(seats.all(m, bno)) do
    if p[S.live] == 1 then return true end
  end
  return false
end

function offers.settle(m)
  for bno in pairs(woken.eased or {}) do
    local held = tonumber(call('HGET', K.booking(m, bno), 'held') or 0)
    if held > 0 and not offers.awaited(m, bno) then
      local b = booking.get(m, bno)
      for _, one in ipairs(offers.open(m, bno)) do offers.show(m, b, one) end
    end
  end
end
