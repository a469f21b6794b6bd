-- reopen: a provider is asked again who had been asked in this round, and has no open proposal any more: ops say so, or he himself.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, rid, bno, rev, hand {key, name} or nil, himself, reason, p, seen (his version), windows {those that fit him},
--       far (m, or -1), answer_by, urgency}
-- Replies: ASKED, WRONG_STATE {state}, NOT_ASKED (nobody has asked him), NOT_HIS (he himself did not say no), ALREADY (he has it before
--          him), UNFIT (he cannot be asked, or he and the client are apart), OVERLAP, STALE (the booking or he has changed), MISMATCH;
--          the first is kept under rid for 24 h of wall time.
-- Source: SPEC.md R2, R83, R84; P5.
local function obstacle(m, a, b, p)
  if b.state ~= 'searching' then return 'WRONG_STATE' end
  if not p or p[S.round] ~= b.round then return 'NOT_ASKED' end
  if p[S.state] == 'open' then return 'ALREADY' end
  if a.himself and p[S.state] ~= 'refused' then return 'NOT_HIS' end
  local askable, version = read.numbers(K.provider(m, a.p), 'askable', 'version')
  if b.rev ~= a.rev or version ~= a.seen or clock.now() >= b.deadline then return 'STALE' end
  if askable ~= 1 or call('SISMEMBER', K.blocks(m, b.client), a.p) == 1 then return 'UNFIT' end
  for _, index in ipairs(a.windows) do
    if fits.overlap(m, a.p, b.spans[index + 1], read.market(m).gap) then return 'OVERLAP' end
  end
end

local function ask(m, a, b, before)
  local now, wave = clock.now(), math.max(1, b.wave)
  propose.show(m, b, a.p, { 'open', wave, 'ordinary', b.round, now, a.answer_by, 0, 0, 0, null, 0, 1, 0, a.far, a.windows, 0, a.urgency })
  seats.supersede(m, before[S.state])
  local slot, bucket = read.numbers(K.provider(m, a.p), 'slot', 'bucket')
  record.asked(m, { pno = a.p, slot = slot, bucket = bucket }, now)
  seats.count(m, a.p, 1)
  pushes.ask(m, b, a.p, 'proposal', b.round)
  call('HINCRBY', K.booking(m, b.no), 'live', 1)
  call('HINCRBY', K.booking(m, b.no), 'rev', 1)
  for name, by in pairs({ ['proposals.open'] = 1, ['proposals.live'] = 1, ['count.proposals'] = 1, ['count.asked_again'] = 1 }) do
    gauge.add(m, name, by)
  end
  local line = hands.note(m, a, 'reopen', { b = b.no, p = a.p })
  event.add(m, b.no, 'AskedAgain', { p = a.p, audit = line, wave = wave, answer_by = a.answer_by, himself = a.himself or nil })
  booking.attend(m, b.no) -- its timer knows nothing of the new seat
end

function verbs.reopen(m, a)
  local kept, print = K.request(m, a.rid), 'reopen ' .. a.p
  local before = ledger.recall(kept, print)
  if before then return before end
  local b = booking.get(m, a.bno)
  local p = seats.get(m, b.no, a.p)
  local no = obstacle(m, a, b, p)
  if no then return reply(no, { state = b.state }) end
  ask(m, a, b, p)
  return ledger.keep(kept, print, reply('ASKED'), clock.wall() + 86400000)
end
