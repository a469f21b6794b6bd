-- match: who would be asked, in order, and how many fit; writes nothing.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, query, minute, k, limit (doubtful ones to look at in this call; 0: no count), client_id or nil}
-- Replies: FOUND {first {{pno, bucket, score x 100, distance in m or nil, windows}..}, count, from (slot at which to go on counting)}
-- Source: SPEC.md R2, R5.
local AT_ONCE = 16 -- doubtful ones: a longer count begins with a call of its own

local function query_of(m, a)
  local q = a.query
  q.minute = a.minute
  if a.client_id then q.client = tonumber(call('HGET', K.client_ids(m), a.client_id)) end
  return fits.prepare(m, q)
end

local function face(r)
  return { r.pno, r.bucket, r.score, r.kind ~= 3 and math.floor(r.far + 0.5) or null, r.windows }
end

function verbs.match(m, a)
  local q, out = query_of(m, a), { first = {} }
  net.cast(m, q)
  local found = find.first(m, q, a.k)
  if a.limit > 0 and q.doubts > AT_ONCE then out.count, out.from = 0, 0
  elseif a.limit > 0 then out.count, out.from = tally.count(m, q, 0, a.limit) end
  net.drop(m, q)
  for i, r in ipairs(found) do out.first[i] = face(r) end
  return reply('FOUND', out)
end

-- tally: goes on counting where a count stopped (same ARGV, and `from`). Replies: COUNTED {count, from}
function verbs.tally(m, a)
  local q = query_of(m, a)
  net.cast(m, q)
  local count, from = tally.count(m, q, a.from, a.limit)
  net.drop(m, q)
  return reply('COUNTED', { count = count, from = from })
end
