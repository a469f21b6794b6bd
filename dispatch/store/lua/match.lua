-- match: who would be asked, in order, and how many fit; writes nothing.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, query, minute, k, counting (whether to), client_id or nil, order, earned (see
--       find.by_quickness) or nil}
-- Replies: FOUND {first (five numbers of each, flat: pno, bucket, score x 100, distance in m or -1, windows that fit as bits), count,
--          behind (how many of them are under-performing), from {shelf, slot} (where to go on counting)}
-- Source: SPEC.md R2, R5, R7.

local function query_of(m, a)
  local q = a.query
  q.minute, q.order, q.earned = a.minute, a.order, a.earned
  if a.client_id then q.client = tonumber(call('HGET', K.client_ids(m), a.client_id)) end
  return fits.prepare(m, q)
end

-- Flat: tables of tables take long to pack.
local function flat(found)
  local out, n = {}, 0
  for i = 1, #found do
    local r, windows = found[i], 0
    for j = 1, #r.windows do windows = windows + 2 ^ r.windows[j] end
    out[n + 1], out[n + 2], out[n + 3], out[n + 4], out[n + 5] = r.pno, r.bucket, r.score, r.far, windows
    n = n + 5
  end
  return out
end

function verbs.match(m, a)
  local count = a.counting and tally.begin()
  local out = { first = flat(find.first(m, query_of(m, a), a.k, count)) }
  if count then out.count, out.behind, out.from = count.n, count.behind, count.from end
  return reply('FOUND', out)
end

-- tally: goes on counting where a count stopped. ARGV {m, query, minute, client_id or nil, from, limit (of doubtful ones to look at)}.
-- Replies: COUNTED {count, behind, from}
function verbs.tally(m, a)
  local count, from, behind = tally.count(m, query_of(m, a), a.from, a.limit)
  return reply('COUNTED', { count = count, behind = behind, from = from })
end
