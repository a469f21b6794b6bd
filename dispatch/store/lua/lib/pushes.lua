-- Pushes: which devices of a provider are owed a notification of a proposal, and what became of it. K.pushes of a provider has a record for
-- each proposal that found him with addresses, by booking: {id, expires (engine ms), gone (it is no more), to {device = {state, due (wall
-- ms), tries, kind, listens}}}. A device is `owed` from `due` on, `lent` to a worker until `due`, or `sent` the proposal; K.push_due
-- says which record is looked at when. A test (R25b) is pushed as well, whatever sockets there are; what became of it is the test's own.
local PATIENCE = 3000 -- ms of wall time in which a device whose app is on the screen confirms a proposal, or is pushed it

function pushes.get(m, pno, bno)
  local kept = call('HGET', K.pushes(m, pno), bno)
  return kept and cmsgpack.unpack(kept)
end

-- Writes a record back; one without devices is forgotten.
function pushes.put(m, pno, bno, r)
  local member, due = pno .. '.' .. bno, nil
  for _, one in pairs(r.to) do
    if one.state ~= 'sent' then due = math.min(due or one.due, one.due) end
  end
  if next(r.to) then call('HSET', K.pushes(m, pno), bno, cmsgpack.pack(r)) else call('HDEL', K.pushes(m, pno), bno) end
  if due then call('ZADD', K.push_due(m), due, member) else call('ZREM', K.push_due(m), member) end
  woken.push = woken.push or (due and due <= clock.wall())
end

-- Whether a device has a socket, and its app is not in the background.
function pushes.on_screen(m, pno, device)
  local link = call('HGET', K.links(m, pno), device)
  return link and string.match(link, '^[^|]+|%d+|0') ~= nil
end

-- A proposal was sent. Devices without a socket, or in the background, are owed a push at once; the others when they do not confirm it.
function pushes.ask(m, b, pno, kind, round)
  if call('HGET', K.provider(m, pno), 'push') ~= '1' then return end
  local to = {}
  for _, device in ipairs(call('HKEYS', K.addresses(m, pno))) do
    local listens = kind ~= 'test' and pushes.on_screen(m, pno, device)
    to[device] = { state = 'owed', due = clock.wall() + (listens and PATIENCE or 0), tries = 0, kind = kind, listens = listens }
  end
  pushes.put(m, pno, b.no, { id = seats.id(b.no, round, pno), expires = b.deadline, to = to })
end

-- An open proposal has another deadline. It is not pushed again.
function pushes.outlive(m, b, pno)
  local r = pushes.get(m, pno, b.no)
  if not r then return end
  r.expires = b.deadline
  pushes.put(m, pno, b.no, r)
end

-- A proposal is no more: what was pushed, or may have been, is replaced, but where its end is heard on the screen.
function pushes.replace(m, b, pno, p)
  local r = pushes.get(m, pno, b.no)
  if not r then return end
  local late, heard = clock.now() >= r.expires, p[S.received] ~= 0
  r.gone = true
  for device, one in pairs(r.to) do
    local needless = one.tries == 0 or (heard and pushes.on_screen(m, pno, device))
    if one.kind == 'test' then needless = one.state ~= 'lent' end
    if late or needless then r.to[device] = nil
    elseif one.state ~= 'lent' then one.state, one.due = 'owed', clock.wall() end
  end
  pushes.put(m, pno, b.no, r)
end

local COUNTS = { sent = 'count.pushes_sent', failed = 'count.pushes_failed', gone = 'count.pushes_gone', expired = 'count.pushes_expired' }

-- What became of a push to a device: sent; gone (its address is none), failed (given up), expired (too late). The caller writes `r` back.
function pushes.settle(m, pno, bno, r, device, outcome)
  local one = r.to[device]
  if one.kind == 'test' then trial.pushed(m, pno, device, outcome) else
    event.add(m, bno, 'Pushed', { p = pno, kind = one.kind, outcome = outcome })
    gauge.add(m, COUNTS[outcome], 1)
  end
  if outcome ~= 'sent' or one.kind ~= 'proposal' then r.to[device] = nil
  elseif r.gone then one.state, one.due = 'owed', clock.wall()
  else one.state = 'sent' end
end
