-- What a provider's devices have shown of a proposal (the caller writes it back with seats.put), and how many live ones he has.

-- One live proposal of a provider more or less; only at the cap does that change whether he can be asked.
function seats.count(m, pno, by)
  local live = call('HINCRBY', K.provider(m, pno), 'live', by)
  if math.max(live, live - by) == read.market(m).cap then record.refresh(m, pno) end
end

-- It has reached a device, or was answered: whether for the first time.
function seats.received(m, bno, pno, p)
  if p[S.received] ~= 0 then return false end
  p[S.received] = clock.now()
  event.add(m, bno, 'Received', { p = pno })
  gauge.add(m, 'count.received', 1)
  return true
end

-- He answers: whoever does has received. How long he took by R22 (ms): since it was seen, else since it was received; nil when nothing
-- was confirmed before, for then no clock ran, or when he had answered already (with a counteroffer).
function seats.answered(m, bno, pno, p)
  if p[S.answered] ~= 0 then return nil end
  local since = p[S.seen] ~= 0 and p[S.seen] or p[S.received]
  p[S.answered] = clock.now()
  if p[S.kind] ~= 'bonus' then newcomers.answered(m, pno) end
  seats.received(m, bno, pno, p)
  if since ~= 0 then return p[S.answered] - since end
end

-- It was on a screen: whether for the first time.
function seats.seen(m, bno, pno, p)
  if p[S.seen] ~= 0 then return false end
  p[S.seen] = clock.now()
  event.add(m, bno, 'Seen', { p = pno })
  gauge.add(m, 'count.seen', 1)
  return true
end

-- A device whose app was on the screen, or is, confirms a proposal: it needs no push any more. Of other devices that says nothing.
function pushes.heard(m, pno, bno, device)
  local r = call('HGET', K.provider(m, pno), 'push') == '1' and pushes.get(m, pno, bno)
  local one = r and r.to[device]
  if not one or one.kind ~= 'proposal' or one.state ~= 'owed' then return end
  if not one.listens and not pushes.on_screen(m, pno, device) then return end
  r.to[device] = nil
  pushes.put(m, pno, bno, r)
end
