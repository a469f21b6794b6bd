-- revoke: the tokens that a device of a provider, or each of his devices, was given until now are worth nothing any more,
-- and the address it named for pushes is forgotten: whoever signs in names one anew.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, p, device or nil (all of them), most (devices remembered one by one), hand or nil}
-- Replies: DONE
-- Source: PROTOCOL.md section 2 (4500); decision 19.

-- Forgets the device that was revoked longest ago: whatever was issued before that is worth nothing to any device. Those revoked last keep
-- their own line, so that a lost phone costs the others nothing.
local function fold(key)
  local oldest, least
  for device, since in pairs(read.hash(key)) do
    if device ~= '#' and device ~= '*' and (not least or tonumber(since) < least) then oldest, least = device, tonumber(since) end
  end
  if least > (tonumber(call('HGET', key, '*')) or 0) then call('HSET', key, '*', least) end
  call('HDEL', key, oldest)
end

function verbs.revoke(m, a)
  local key = K.revoked(m, a.p)
  call('HSET', key, a.device or '*', call('HINCRBY', key, '#', 1))
  if call('HLEN', key) - call('HEXISTS', key, '*') - 1 > a.most then fold(key) end
  if a.device then pushes.forget(m, a.p, a.device) else pushes.forget_all(m, a.p) end
  event.note(m, 'TokensRevoked', { p = a.p, all = not a.device })
  hands.note(m, a, 'revoke', { p = a.p })
  rights.changed(m, a.p)
  return reply('DONE')
end

-- rights: ARGV {m, list {{p, device, generation of its token}..}}: who of them may not hold a socket any more, and why (or false).
-- Replies: DONE {faults}
function verbs.rights(m, a)
  local faults = {}
  for i, one in ipairs(a.list) do
    faults[i] = rights.blocked(m, one[1]) and 'blocked' or rights.revoked(m, one[1], one[2], one[3]) and 'revoked'
  end
  return reply('DONE', { faults = faults })
end
