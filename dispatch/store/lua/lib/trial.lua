-- Test proposals (R25b). They stand for no booking: they are those of booking 0, the round counts a provider's tests, and only the last one
-- is kept. They go the way of all proposals, but nothing that counts bookings, seats, answers or habits sees them.
-- RECEIPTS is one more field of such a proposal: a list of {way, device or '', received, seen, outcome or ''}.
local RECEIPTS, RECEIVED, SEEN, OUTCOME, MOST = 18, 3, 4, 5, 16
trial.BOOKING = 0

-- His test of that number, if it is the last one.
function trial.get(m, pno, round)
  local p = seats.get(m, trial.BOOKING, pno)
  return p and p[S.round] == round and p or nil
end

local function moment(ms) return ms ~= 0 and ms or null end

local function face(row)
  return { way = row[1], device = row[2] ~= '' and row[2] or null, received_at = moment(row[RECEIVED]), seen_at = moment(row[SEEN]),
    outcome = row[OUTCOME] ~= '' and row[OUTCOME] or null }
end

-- Tells every device of his how the test stands.
function trial.tell(m, pno, p)
  local rows = {}
  for i, row in ipairs(p[RECEIPTS]) do rows[i] = face(row) end
  inbox.push(m, pno, 6, inbox.body('type', 'test', 'proposal', seats.id(trial.BOOKING, p[S.round], pno), 'state', p[S.state],
    'sent_at', p[S.sent], 'answered_at', moment(p[S.answered]), 'receipts', rows))
end

-- The receipt of a way and device; a device that was not there when the test was sent gets one now.
local function row_of(p, way, device)
  for _, row in ipairs(p[RECEIPTS]) do
    if row[1] == way and row[2] == device then return row end
  end
  local row = { way, device, 0, 0, '' }
  p[RECEIPTS][#p[RECEIPTS] + 1] = row
  return row
end

local function keep(m, pno, p)
  seats.put(m, trial.BOOKING, pno, p)
  trial.tell(m, pno, p)
end

-- A device confirms it: `which` {0, round, device}.
function trial.mark(m, pno, which, on_screen)
  local p, now = trial.get(m, pno, which[2]), clock.now()
  if not p or #p[RECEIPTS] > MOST then return end
  local row = row_of(p, 'socket', which[3])
  if row[RECEIVED] ~= 0 and (row[SEEN] ~= 0 or not on_screen) then return end
  if row[RECEIVED] == 0 then row[RECEIVED] = now end
  if on_screen then row[SEEN] = now end
  if p[S.received] == 0 then p[S.received] = now end
  if on_screen and p[S.seen] == 0 then p[S.seen] = now end
  keep(m, pno, p)
end

-- What became of his last test at the push service of a device.
function trial.pushed(m, pno, device, outcome)
  local p = seats.get(m, trial.BOOKING, pno)
  row_of(p, 'push', device)[OUTCOME] = outcome
  keep(m, pno, p)
end

-- It is over, and gone from every screen.
function trial.close(m, pno, p, state, reason)
  p[S.state], p[S.reason], p[S.ended] = state, reason, clock.now()
  call('HDEL', K.open(m, pno), 't')
  call('ZREM', K.trials(m), pno)
  seats.tell_gone(m, { no = trial.BOOKING, version = 1 }, pno, p, reason)
  keep(m, pno, p)
end

-- He takes or refuses it: the same is done with either.
function trial.answer(m, a, state)
  local p = trial.get(m, a.p, a.round)
  if not p then return reply('NOT_ASKED') end
  if p[S.state] ~= 'open' then return reply(p[S.state] == 'expired' and 'EXPIRED' or 'DONE') end
  p[S.answered] = clock.now()
  trial.close(m, a.p, p, state, 'answered_elsewhere')
  return reply('DONE')
end
