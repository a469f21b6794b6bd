-- Time and the small change of every verb. CLOCK is rendered by functions.py: {base (us), speed}.
-- Inside a call time stands still, so the server is asked once: `instant` is forgotten when the next call begins.
local function micros()
  if not instant then
    local t = call('TIME')
    instant = t[1] * 1000000 + t[2]
  end
  return instant
end

function clock.now()
  return math.floor((CLOCK.base + (micros() - CLOCK.base) * CLOCK.speed) / 1000)
end

-- Seconds of work so far, to bound a call by. Redis 7.0 gives scripts no clock that runs: there each question counts as 20 us.
local counts, spent = nil, 0
function clock.busy()
  if counts == nil then counts = not pcall(function() return os.clock() end) end
  if not counts then return os.clock() end
  spent = spent + 0.00002
  return spent
end

function clock.wall()
  return math.floor(micros() / 1000)
end

-- A hash as a table.
function read.hash(key)
  local flat, out = call('HGETALL', key), {}
  for i = 1, #flat, 2 do out[flat[i]] = flat[i + 1] end
  return out
end

-- Some fields of a hash as numbers (absent: 0).
function read.numbers(key, ...)
  local values = call('HMGET', key, ...)
  for i = 1, #values do values[i] = tonumber(values[i]) or 0 end
  return unpack(values)
end

-- What verbs need of the market: gap (ms), cap, hook ('1': it has somewhere to send webhooks), epoch, basis (of its index), patience (R40),
-- fair (ms), bonus ('1': bonus proposals are looked for when nobody is left), share of newcomers (in 1/10000) and the answers after which
-- one is none, paced (the policy of its waves). Read once.
function read.market(m)
  if not market then
    local f = call('HMGET', K.market(m), 'gap', 'cap', 'hook', 'epoch', 'basis', 'patience', 'fair', 'bonus', 'share', 'newcomer', 'policy')
    market = { gap = tonumber(f[1]), cap = tonumber(f[2]), hook = f[3], epoch = f[4], basis = tonumber(f[5]),
      patience = tonumber(f[6]) or 4, fair = tonumber(f[7]) or 0, bonus = f[8], paced = f[11] == 'paced',
      share = tonumber(f[9]) or 1000, newcomer = tonumber(f[10]) or 10 } -- an older version wrote neither
  end
  return market
end

-- The answer of a verb: one word and what goes with it.
reply = function(word, fields)
  fields = fields or {}
  fields.word = word
  return cmsgpack.pack(fields)
end

-- A stored answer to a repeated request id, or nil. Another content under the same id: MISMATCH.
function ledger.recall(key, print)
  local kept = call('GET', key)
  if not kept then return nil end
  local size = string.byte(kept)
  if string.sub(kept, 2, 1 + size) ~= print then return reply('MISMATCH') end
  return string.sub(kept, 2 + size)
end

-- Keeps an answer until a wall time (ms), 400 days at most.
function ledger.keep(key, print, answer, until_wall)
  call('SET', key, string.char(#print) .. print .. answer, 'PXAT',
    math.floor(math.min(until_wall, clock.wall() + 34560000000)))
  return answer
end
