-- put_provider: creates or replaces one provider, in the index too, in one step.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, id, seen (his version as the caller saw it, 0: new), settings, status, trade, rank or nil {tier, score, bucket},
--       facts (see lib/index.lua), old or nil (inside, rim, areas, services of the version seen), until (first quarter not indexed)}
-- Replies: CREATED {p}, REPLACED {p}, STALE (another version is there)
-- Source: SPEC.md R2-R5; PROTOCOL.md section 1.
local function create(m, a)
  local pno = call('HINCRBY', K.numbers(m), 'provider', 1)
  call('HSET', K.provider_ids(m), a.id, pno)
  call('HSET', K.provider(m, pno), 'slot', slots.take(m, a.rank.bucket), 'bucket', a.rank.bucket, 'seq', 0, 'live', 0,
    'version', 0, 'askable', 0)
  gauge.add(m, 'providers.known', 1)
  return pno
end

-- To another bucket when his rank is another: the old slot is given back.
local function move(m, pno, a, slot, bucket)
  if not a.rank or a.rank.bucket == bucket then return slot, false end
  index.wipe(m, slot, a.facts)
  slots.give_back(m, bucket, slot)
  if call('HGET', K.provider(m, pno), 'askable') == '1' then gauge.add(m, 'providers.askable', -1) end
  local new = slots.take(m, a.rank.bucket)
  call('HSET', K.provider(m, pno), 'slot', new, 'bucket', a.rank.bucket, 'askable', 0)
  return new, true
end

local function write(m, a, pno, slot, asked, fresh)
  local score = a.rank and a.rank.score or tonumber(call('HGET', K.provider(m, pno), 'score'))
  index.facts(m, slot, pno, a.facts, asked, score * 100)
  index.place(m, slot, a.facts, 1)
  index.hours(m, slot, a.facts, fresh)
  visits.block_all(m, pno, slot, tonumber(call('HGET', K.market(m), 'gap')))
  call('HSET', K.provider(m, pno), 'status', a.status, 'trade', a.trade, 'until', a['until'])
  if a.rank then call('HSET', K.provider(m, pno), 'tier', a.rank.tier, 'score', a.rank.score) end
  call('HINCRBY', K.provider(m, pno), 'version', 1)
  call('SET', K.profile(m, pno), a.settings)
  record.refresh(m, pno)
end

function verbs.put_provider(m, a)
  local pno = tonumber(call('HGET', K.provider_ids(m), a.id))
  local version = pno and tonumber(call('HGET', K.provider(m, pno), 'version')) or 0
  if version ~= a.seen then return reply('STALE') end
  local word, asked, fresh = 'REPLACED', 0, false
  if not pno then
    word, fresh, pno = 'CREATED', true, create(m, a)
  end
  local slot, bucket = read.numbers(K.provider(m, pno), 'slot', 'bucket')
  if word == 'REPLACED' then
    asked = record.read(m, slot).asked
    if a.old then index.place(m, slot, a.old, 0) end
    slot, fresh = move(m, pno, a, slot, bucket)
  end
  write(m, a, pno, slot, asked, fresh)
  event.note(m, 'ProviderPut', { p = pno, created = word == 'CREATED' })
  return reply(word, { p = pno })
end
