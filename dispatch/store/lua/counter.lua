-- counter: a provider proposes other times. That is an answer: his seat is free; the original stays his to accept while the search lasts.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, p, id, proposal, bno, round, version, windows {{start, end}..}, note, print (of both), valid (ms), cutoff
--       (ms before the first window), near (ms: shown at once when that close to a time asked for), limit (in a round)}
-- Replies: SENT {took (ms by R22) or nil: not in a repeat}, TOO_MANY, TOO_LATE, EXPIRED, NOT_ASKED, VERSION_CONFLICT, OVERLAP, MISMATCH;
--          each but the last two is kept under the request id and returned to a repeat.
-- Source: SPEC.md R21, R22, R24, P14b; PROTOCOL.md section 2.

-- When it ends: after its time, or when its first window is too near.
local function expiry(a)
  local first = math.huge
  for _, window in ipairs(a.windows) do first = math.min(first, window[1]) end
  return math.min(clock.now() + a.valid, first - a.cutoff)
end

local function refusal(m, a, b, p)
  if not p or p[S.round] ~= a.round or p[S.state] == 'refused' or p[S.state] == 'accepted' then return 'NOT_ASKED' end
  if not seats.stands(p) then return p[S.reason] == 'ops' and 'NOT_ASKED' or 'EXPIRED' end
  if b.version ~= a.version then return 'VERSION_CONFLICT' end
  if rights.barred(m, a.p, b.client) then return 'NOT_ASKED' end
  if expiry(a) <= clock.now() then return 'TOO_LATE' end
  if offers.made(m, b, a.p) >= a.limit then return 'TOO_MANY' end
  for _, window in ipairs(a.windows) do
    if fits.overlap(m, a.p, window, read.market(m).gap) then return 'OVERLAP' end
  end
end

-- Whether one of them begins close to a time that the client asked for.
local function near(a, b)
  for _, window in ipairs(a.windows) do
    for _, asked in ipairs(b.spans) do
      if math.abs(window[1] - asked[1]) <= a.near then return true end
    end
  end
  return false
end

-- His proposal is answered: it holds no seat, and counts for no cap.
local function answer(m, b, pno, p)
  local took = seats.answered(m, b.no, pno, p)
  seats.release(m, b.no, pno, p)
  if p[S.state] ~= 'countered' then
    gauge.add(m, 'proposals.open', -1)
    gauge.add(m, 'proposals.countered', 1)
    p[S.state], p[S.ended] = 'countered', clock.now()
  end
  seats.put(m, b.no, pno, p)
  call('HINCRBY', K.booking(m, b.no), 'rev', 1)
  call('HSET', K.booking(m, b.no), 'said_no', 1)
  return took
end

local function record_other(m, a, b, p)
  offers.close_his(m, b, a.p)
  local took = answer(m, b, a.p, p)
  local at_once = near(a, b) or served.knows(m, a.p, b.client) or not offers.awaited(m, b.no)
  event.add(m, b.no, 'Countered', { p = a.p, wave = p[S.wave], took = took, offer = (tonumber(b.offer_no) or 0) + 1, windows = a.windows,
    expires = expiry(a), shown = at_once })
  local number = offers.add(m, b, a.p, a.windows, expiry(a), at_once and 'shown' or 'held')
  if a.note ~= '' then call('HSET', K.who(m, b.no), 'offer:' .. number, a.note) end
  gauge.add(m, 'count.countered', 1)
  if tonumber(call('HGET', K.booking(m, b.no), 'live')) <= 0 then booking.attend(m, b.no) end
  return took
end

function verbs.counter(m, a)
  local kept, print = K.request(m, a.p .. ':' .. a.id), redis.sha1hex('c' .. a.proposal .. ':' .. a.version .. ':' .. a.print)
  local before = ledger.recall(kept, print)
  if before then return before end
  silence.ends(m, a.p)
  local b = booking.get(m, a.bno)
  local p = b and seats.get(m, a.bno, a.p)
  local word, took = refusal(m, a, b, p), nil
  if word == 'OVERLAP' then return reply(word) end
  if not word then took = record_other(m, a, b, p) end
  ledger.keep(kept, print, reply(word or 'SENT'), b and booking.remembered(b) or clock.wall() + 600000)
  return reply(word or 'SENT', { took = took })
end
