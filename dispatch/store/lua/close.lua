-- close: the deadline of a search has come. Windows that can no longer be met are dropped; when none is left, nobody took it.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, bno, rev, lives {{pno, until when he may answer if no deadline is sooner}..}, offers (what is left to the client)}
-- Replies: CLOSED, NARROWED (later windows are left), STALE (it has moved since, or searches no more), EARLY (the deadline is to come)
-- Source: SPEC.md R11, R17, P3.

-- What is left: old index (from 0) of each window kept, and new index by old one.
local function kept_windows(b, now)
  local kept, place = {}, {}
  for i, stop in ipairs(b.ends) do
    if now < stop then
      kept[#kept + 1] = i - 1
      place[i - 1] = #kept - 1
    end
  end
  return kept, place
end

local function picked(list, kept)
  local out = {}
  for i, index in ipairs(kept) do out[i] = list[index + 1] end
  return out
end

-- A holder sees what is left of his windows, or learns that his proposal has expired.
local function narrow(m, b, pno, p, place, life)
  local left = {}
  for _, index in ipairs(p[S.windows]) do left[#left + 1] = place[index] end
  p[S.windows] = left
  if p[S.live] == 1 and life then p[S.answer_by] = math.min(life, b.deadline) end
  if #left > 0 then propose.show(m, b, pno, p) else seats.withdraw(m, b, pno, p, 'expired', 'expired') end
  if #left > 0 then pushes.outlive(m, b, pno) end
end

local function drop_windows(m, a, b, kept, place)
  local lives = {}
  for _, life in ipairs(a.lives) do lives[life[1]] = life[2] end
  booking.load(m, b)
  local q = b.query
  b.spans, b.ends, q.windows = picked(b.spans, kept), picked(b.ends, kept), picked(q.windows, kept)
  b.version, b.deadline, b.start = b.version + 1, math.min(unpack(b.ends)), b.spans[1][1]
  for _, span in ipairs(b.spans) do b.start = math.min(b.start, span[1]) end
  call('HSET', K.booking(m, b.no), 'version', b.version, 'deadline', b.deadline, 'start', b.start,
    'windows', cmsgpack.pack(b.spans), 'ends', cmsgpack.pack(b.ends))
  call('HSET', K.who(m, b.no), 'query', cmsgpack.pack(q))
  call('HINCRBY', K.booking(m, b.no), 'rev', 1)
  event.add(m, b.no, 'WindowsDropped', { windows = b.spans, deadline = b.deadline })
  vacancy.renew(m, b)
  for pno, p in pairs(seats.all(m, b.no)) do
    if seats.stands(p) then narrow(m, b, pno, p, place, lives[pno]) end
  end
  booking.attend(m, b.no)
  return reply('NARROWED')
end

function verbs.close(m, a)
  local b = booking.get(m, a.bno)
  if not b or b.state ~= 'searching' then
    call('ZREM', K.due(m), a.bno) -- a timer of nothing
    return reply('STALE')
  end
  if b.rev ~= a.rev then return reply('STALE') end
  if clock.now() < b.deadline then return reply('EARLY') end
  local kept, place = kept_windows(b, clock.now())
  if #kept > 0 then return drop_windows(m, a, b, kept, place) end
  booking.move(m, b, 'close')
  event.add(m, b.no, 'Unfilled', {})
  seats.withdraw_all(m, b, 'expired', 'expired')
  outbox.add(m, b.no, 'booking.unfilled', { offers = a.offers })
  gauge.add(m, 'count.unfilled', 1)
  return reply('CLOSED')
end
