-- enroll: gives numbers and slots to a batch of new providers; they become askable with `admit`, once their bitmaps are painted.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, until, basis, hints {for each entry, how many of its bucket are still to come}, list {{id, settings, trade,
--       rank {tier, score, bucket, orders, answered}, facts}..}} sorted by bucket
-- Replies: DONE {slots {slot or false for those already known..}, pnos, spare {{bucket, first, stop}..}}
-- Source: SPEC.md R5; PROTOCOL.md (import).

local LATER = 600000 -- ms after which whoever imports them must have ended

-- How many entries from `i` on share its bucket and are new.
local function run_length(m, list, i)
  local n = 0
  while list[i + n] and list[i + n].rank.bucket == list[i].rank.bucket
    and call('HEXISTS', K.provider_ids(m), list[i + n].id) == 0 do n = n + 1 end
  return n
end

local function admit(m, a, e, slot)
  local pno = call('HINCRBY', K.numbers(m), 'provider', 1)
  call('HSET', K.provider_ids(m), e.id, pno)
  call('HSET', K.provider(m, pno), 'slot', slot, 'bucket', e.rank.bucket, 'seq', 0, 'live', 0, 'version', 1, 'askable', 0,
    'status', 'loading', 'trade', e.trade, 'tier', e.rank.tier, 'score', e.rank.score, 'until', a['until'], 'basis', a.basis,
    'since', clock.now(), 'orders', e.rank.orders, 'answered', e.rank.answered)
  call('SET', K.profile(m, pno), e.settings)
  index.facts(m, slot, pno, e.facts, 0, e.rank, true, e.rank.answered)
  return pno
end

function verbs.enroll(m, a)
  local out = { slots = {}, pnos = {}, spare = {} }
  local i = 1
  while i <= #a.list do
    local bucket, n = a.list[i].rank.bucket, run_length(m, a.list, i)
    if n == 0 then
      out.slots[i], out.pnos[i], i = false, 0, i + 1
    else
      local first, got, after = slots.run(m, bucket, n, a.hints[i])
      for j = 0, got - 1 do
        out.slots[i + j], out.pnos[i + j] = first + j, admit(m, a, a.list[i + j], first + j)
      end
      if first + got < after then out.spare[#out.spare + 1] = { bucket, first + got, after } end
      i = i + got
    end
  end
  local new, due = {}, clock.wall() + LATER
  for _, pno in ipairs(out.pnos) do
    if pno > 0 then new[#new + 1], new[#new + 2] = due, pno end
  end
  if #new > 0 then call('ZADD', K.unwritten(m), unpack(new)) end
  index.based(m, a.basis)
  gauge.add(m, 'providers.known', #new / 2)
  return reply('DONE', out)
end
