-- How keen and slow a provider is beside his class: two numbers in his hash, as of when he was last asked; none while nothing is known. The
-- twins of habits.learnt and habits.faded. A refusal only ends the time for which his proposal was open (R20).

-- What an average provider earns with a proposal by an age, as was assumed of its class.
local function assumed(class, age)
  local sum, begin, rates = 0, 0, HABITS.rates[class]
  for i = 1, #rates do
    if age <= begin then break end
    local stop = AGES[i] or age
    sum, begin = sum + rates[i] * (math.min(age, stop) - begin), stop
  end
  return sum
end

-- A provider who was last asked at a moment (0: never): keen, slow, and whether anything is known of him.
function keen.read(m, pno, asked)
  local found = call('HMGET', K.provider(m, pno), 'keen', 'slow')
  if not found[1] then return 1, 1, false end
  local kept = asked and asked > 0 and 0.5 ^ (math.max(0, clock.now() - asked) / HABITS.fade) or 1
  return 1 + (tonumber(found[1]) - 1) * kept, tonumber(found[2]) ^ kept, true
end

-- He is asked now (`r.asked`: when he was before), in a market that learns: how keen he is, and by what his answer will be measured.
function keen.asked(m, r, plan)
  if not plan.ease then return end
  local is, slow, known = keen.read(m, r.pno, r.asked)
  if known then call('HSET', K.provider(m, r.pno), 'keen', is, 'slow', slow) end
  return is, plan.ease, plan.usual_ms
end

-- An open proposal ends as `state`. What never reached him, or was none of the ordinary ones, tells nothing of him.
function keen.ended(m, pno, p, state)
  habits.ended(p, state)
  if not p[S.ease] or p[S.state] ~= 'open' or p[S.kind] ~= 'ordinary' or p[S.received] == 0 then return end
  local class, key, won = p[S.urgency], K.provider(m, pno), state == 'accepted' and 1 or 0
  local age = math.max(0, (p[S.answered] ~= 0 and p[S.answered] or clock.now()) - p[S.sent])
  local found, earned = call('HMGET', key, 'keen', 'slow'), p[S.ease] * assumed(class, age * HABITS.usual[class] / p[S.usual])
  local is, slow = tonumber(found[1]) or 1, tonumber(found[2]) or 1
  is = math.max(HABITS.least_keen, (HABITS.keen_weight * is + won) / (HABITS.keen_weight + earned))
  if won == 1 then
    local ratio = math.min(HABITS.most_slow, math.max(1 / HABITS.most_slow, age / p[S.usual]))
    slow = slow ^ (1 - 1 / HABITS.slow_weight) * ratio ^ (1 / HABITS.slow_weight)
  end
  call('HSET', key, 'keen', is, 'slow', slow)
end
