-- Proposals to providers by name, not by search: the one whom the client chose (R28), and bonus proposals (R30). What their settings
-- say was judged before, as of version `seen`; what else may have changed is looked at here. `one`: {p, seen, windows (indexes), far,
-- reasons}.

propose.COUNTS = { wave = 'count.waves', fill = 'count.fills', seat = 'count.fills', direct = 'count.directs', bonus = 'count.bonuses' }

-- The reasons of a proposal, as its holder reads them.
function propose.reasons(b, pno)
  local kept = b['mark:' .. pno]
  return kept and cmsgpack.unpack(kept) or {}
end

local function free_windows(m, b, one)
  local free, gap = {}, read.market(m).gap
  for _, index in ipairs(one.windows) do
    if not fits.overlap(m, one.p, b.spans[index + 1], gap) then free[#free + 1] = index end
  end
  return free
end

-- What keeps him from being asked now, if something does; else the windows in which he is free.
local function hindrance(m, b, one)
  local f, cap = call('HMGET', K.provider(m, one.p), 'version', 'push', 'off', 'paused', 'live'), read.market(m).cap
  local p, free = seats.get(m, b.no, one.p), free_windows(m, b, one)
  if tonumber(f[1]) ~= one.seen then return 'changed' end
  if call('SISMEMBER', K.blocks(m, b.client), one.p) == 1 then return 'blocked' end
  if f[3] == '1' or f[2] ~= '1' and call('EXISTS', K.links(m, one.p)) == 0 then return 'unreachable' end
  if f[4] == '1' then return 'paused' end
  if (tonumber(f[5]) or 0) >= cap then return 'cap' end
  if p and seats.out(p, b.round) then return 'asked' end
  if #free == 0 then return 'overlap' end
  return nil, free
end

-- Sends it. One asked for a bonus has waited no less for his next ordinary proposal (R32).
local function send(m, b, one, free, plan)
  local now, kind = clock.now(), plan.kind
  local mark, before = cmsgpack.pack(one.reasons), seats.get(m, b.no, one.p)
  b['mark:' .. one.p] = mark
  call('HSET', K.booking(m, b.no), 'mark:' .. one.p, mark)
  propose.show(m, b, one.p, { 'open', plan.wave, kind, b.round, now, plan.answer_by, 0, 0, 0, null, 0, 1, 0, one.far, free, 0,
    plan.urgency })
  seats.supersede(m, before and before[S.round] == b.round and before[S.state])
  if kind == 'direct' then
    local slot, bucket = read.numbers(K.provider(m, one.p), 'slot', 'bucket')
    record.asked(m, { pno = one.p, slot = slot, bucket = bucket }, now)
  end
  seats.count(m, one.p, 1)
  pushes.ask(m, b, one.p, 'proposal', b.round)
end

-- Asks those of a list who still can be, at most `size`; their numbers, and why the first who could not be was not.
function propose.named(m, b, list, size, plan)
  local asked, why = {}, nil
  for _, one in ipairs(list) do
    if #asked >= size then break end
    local no, free = hindrance(m, b, one)
    why = why or no
    if free then
      send(m, b, one, free, plan)
      asked[#asked + 1] = one.p
    end
  end
  if #asked > 0 then propose.record(m, b, plan, asked, clock.now()) end
  return asked, why
end
