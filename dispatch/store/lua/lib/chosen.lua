-- The provider whom the client chose is asked before the waves, which hold for him (R26-R28); and what happens when nobody is left (R30).
-- Of a plan: `one` (see lib/named.lua), or `why`: the filters that bind against him; `hold` (ms, from the moment of sending).

-- He cannot be asked: the waves start at once.
local function missed(m, b, reasons)
  call('HSET', K.booking(m, b.no), 'hold', 0)
  event.add(m, b.no, 'Missed', { p = tonumber(b.chosen), reasons = reasons })
  booking.attend(m, b.no)
end

-- Asks him, if that can be; the list of those asked. nil: his settings have changed since they were judged, so they must be judged anew.
function propose.chosen(m, b, plan)
  if plan.why then
    missed(m, b, plan.why)
    return {}
  end
  local asked, why = propose.named(m, b, { plan.one }, 1, plan)
  if why == 'changed' then
    booking.attend(m, b.no)
    return nil
  end
  if why then missed(m, b, { why }) else call('HSET', K.booking(m, b.no), 'hold', math.min(clock.now() + plan.hold, b.deadline)) end
  return asked
end

-- The same as a turn of the booking's plan.
function propose.direct(m, b, plan)
  local asked = propose.chosen(m, b, plan)
  if not asked then return reply('STALE') end
  if #asked == 0 then return reply('EMPTY') end
  return reply('SENT', { asked = #asked, wave = plan.wave, late = math.max(0, clock.now() - math.max(plan.due, plan.ready)) })
end

-- A wave found nobody left: bonus proposals are looked for, where the market has them look by themselves or ops have approved some.
function propose.starve(m, b, kind)
  if kind ~= 'wave' then return end
  call('HSET', K.booking(m, b.no), 'starving', 1)
  if read.market(m).bonus ~= '1' and not b.approved then return end
  call('ZADD', K.starved(m), clock.now(), b.no)
  woken.bonus = true
end
