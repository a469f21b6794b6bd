-- What was settled is open again, or is called off.
local OF_ROUND = { approved = true, prepared = true, starving = true }

-- Its winner holds it no more: his time is free, and his devices are told how it stands for him (`word`). `a`: what the caller knew of
-- him, {working} the quarters of his own hours around the visit.
function booking.let_go(m, b, word, a)
  local window, state = b.spans[b.window + 1], b.state
  visits.free(m, b.winner, b.no, window, read.market(m).gap, a.working)
  b.state = word
  booking.tell(m, b, b.winner, window)
  b.state = state
  visits.freed(m, b.winner)
end

-- How long before the visit it is (ms); nil when nobody holds it.
function booking.early(b)
  return b.winner and b.spans[b.window + 1][1] - clock.now()
end

-- Whether the caller knew who holds it, and what his hours are (`a`: winner, seen, his version): else what he gives back may be wrong.
function booking.known(m, b, a)
  if (b.winner or 0) ~= a.winner then return false end
  return not b.winner or tonumber(call('HGET', K.provider(m, b.winner), 'version')) == a.seen
end

-- Its search begins anew: `a` {ends, urgency}. Nobody holds it, and nobody has a proposal of it.
function booking.again(m, b, move, a)
  b.deadline, b.ends = math.min(unpack(a.ends)), a.ends
  booking.move(m, b, move, { 'deadline', b.deadline, 'ends', cmsgpack.pack(a.ends), 'paced_at', clock.now(), 'tried', 0, 'said_no', 0 })
  booking.classify(m, b, a.urgency)
  call('HDEL', K.booking(m, b.no), 'winner', 'window', 'accepted_at', 'free')
  b.winner = nil
  if tonumber(b.hold or 0) > 0 then call('HSET', K.booking(m, b.no), 'hold', 0) end -- he whom the client chose has been asked
  booking.attend(m, b.no)
end

-- For other windows {windows, start}, which nobody has been asked for yet: a new round.
function booking.renew(m, b, a)
  booking.load(m, b)
  for _, p in pairs(seats.all(m, b.no)) do
    if p[S.round] == b.round then gauge.add(m, 'proposals.' .. p[S.state], -1) end -- they count those of the round that is on
  end
  b.spans, b.query.windows = a.windows, a.windows
  b.version, b.round, b.start, b.wave = b.version + 1, b.round + 1, a.start, 0
  call('HSET', K.booking(m, b.no), 'version', b.version, 'round', b.round, 'start', a.start, 'wave', 0, 'windows', cmsgpack.pack(a.windows))
  call('HSET', K.who(m, b.no), 'query', cmsgpack.pack(b.query))
  for name in pairs(b) do -- what marked a proposal, or was found for a bonus, was of those windows
    if string.find(name, '^mark:') or OF_ROUND[name] then
      call('HDEL', K.booking(m, b.no), name)
      b[name] = nil
    end
  end
end

-- It is over: whoever holds a proposal of it, or the visit itself, is told. `why` {by, and what else the event says of it}.
function booking.call_off(m, b, a, why)
  local held = b.winner and b.state ~= 'unfilled'
  alarm.ends(m, b)
  booking.move(m, b, 'cancel')
  event.add(m, b.no, 'Cancelled', { by = why.by, blocked = why.blocked, p = held and b.winner or nil,
    early = held and booking.early(b) or nil, declared = why.declared, free = why.free })
  if held then booking.let_go(m, b, 'cancelled', a) end
  seats.withdraw_all(m, b, 'withdrawn', 'cancelled')
  outbox.add(m, b.no, 'booking.cancelled', { by = why.by })
  gauge.add(m, 'count.cancelled', 1)
end
