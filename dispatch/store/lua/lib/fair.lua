-- The fair window (R16): accepts within it are claims that wait; when it is over, each of them goes through the one accept verb, the
-- best-ranked first. `decides_at` of a booking is the end of its window, K.claims holds the arguments of each accept, as it came, and when.

-- Whether an accept is to wait, and until when. What is no answer to a wave (ops, a client's word) never does.
function fair.ends(m, a, b)
  if a.cause ~= 'wave' then return nil end
  local fair_ms = read.market(m).fair
  return b.decides_at or fair_ms > 0 and math.min(clock.now() + fair_ms, b.deadline) or nil
end

-- It waits until `ends`. The answer counts from now on (R22), and the plan rests. How long it took him.
function fair.claim(m, a, b, p, window, ends)
  local key, now = K.booking(m, b.no), clock.now()
  call('HSET', K.claims(m, b.no), a.p .. ':' .. a.id, cmsgpack.pack({ p = a.p, id = a.id, proposal = a.proposal, bno = a.bno,
    round = a.round, version = a.version, window = a.window, cause = 'fair', at = now }))
  call('HSET', key, 'decides_at', ends)
  call('HINCRBY', key, 'rev', 1)
  call('ZADD', K.due(m), 'LT', ends, b.no)
  woken.timer = true
  local took = seats.answered(m, b.no, a.p, p)
  seats.put(m, b.no, a.p, p)
  event.add(m, b.no, 'Claimed', { p = a.p, window = window, decides_at = ends, took = took })
  return took
end

-- Whether a kept answer says that the decision is to come.
function fair.pending(answer)
  return cmsgpack.unpack(answer).word == 'PENDING'
end

-- Whether its window is over, and nobody has decided yet.
function fair.overdue(b)
  return b.decides_at ~= nil and clock.now() >= b.decides_at
end

-- Decides: the first claim that still can win does; each of them gets its one more `result`.
function fair.settle(m, bno)
  local list = fair.ranked(m, bno)
  call('DEL', K.claims(m, bno))
  call('HDEL', K.booking(m, bno), 'decides_at')
  for _, entry in ipairs(list) do
    local claim = entry[6]
    local answer = cmsgpack.unpack(verbs.accept(m, claim))
    local body = { 'type', 'result', 'id', claim.id, 'outcome', string.lower(answer.word), 'proposal', claim.proposal }
    if answer.booking then body[9], body[10] = 'booking', answer.booking end
    inbox.push(m, claim.p, #body / 2, inbox.body(unpack(body)))
  end
end

-- The booking as it is now: a window that is over, though no worker has come yet, has been decided.
function fair.current(m, bno)
  local b = booking.get(m, bno)
  if not b or not fair.overdue(b) then return b end
  fair.settle(m, bno)
  return booking.get(m, bno)
end

-- Something else has moved the booking (a cancellation, ops): its claims are answered when the verb ends, as things are then.
function fair.owe(b)
  if not b.decides_at then return end
  b.decides_at = nil
  woken.claims = woken.claims or {}
  table.insert(woken.claims, b.no)
end

function fair.flush(m)
  for _, bno in ipairs(woken.claims or {}) do fair.settle(m, bno) end
end
