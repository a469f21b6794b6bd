-- put_market: creates or replaces the settings of a market, and keeps what that changed: who, when, what was and what is.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, seen (its version as the caller saw it, 0: new), epoch (of a new one), fields {name = text: settings, and the numbers
--       that verbs need}, changes {those of changes.py as JSON, one text each}, by {key, name} (whose key it is), most (entries that are
--       kept), hand or nil}
-- Replies: DONE {created}, STALE (it has been changed since)
-- Source: SPEC.md R84, P14b; PROTOCOL.md section 1.

-- An entry of the history; the oldest makes room. The name of the key stands apart, where it can be erased.
local function keep(m, a, created, line)
  local n = call('HINCRBY', K.numbers(m), 'settings', 1)
  local entry = { at = clock.now(), by = a.by.key, audit = line or null, created = created, changes = a.changes }
  call('XADD', K.settings_log(m), 'MAXLEN', a.most, n .. '-0', 'e', cmsgpack.pack(entry))
  call('HSET', K.settings_words(m), n, a.by.name)
  call('HDEL', K.settings_words(m), n - a.most)
end

function verbs.put_market(m, a)
  local name = K.market(m)
  local created = call('HEXISTS', name, 'settings') == 0
  if (tonumber(call('HGET', name, 'version')) or 0) ~= a.seen then return reply('STALE') end
  local flat = {}
  for field, value in pairs(a.fields) do flat[#flat + 1], flat[#flat + 2] = field, value end
  call('HSET', name, unpack(flat))
  call('HSETNX', name, 'epoch', a.epoch)
  call('HINCRBY', name, 'version', 1)
  local line = hands.note(m, a, 'settings', {})
  if created or #a.changes > 0 then keep(m, a, created, line) end
  return reply('DONE', { created = created })
end
