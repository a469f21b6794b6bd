-- connect: a device's socket is open at a gateway; it replaces an older one of the same device.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, p, device, gateway, conn, generation (of its token), background, push or nil, most (devices a provider)}
-- Replies: LINKED {seq, epoch, devices, replaced {gateway, conn} or nil}, TOO_MANY, UNKNOWN, BLOCKED (his account), REVOKED (the token)
-- Source: SPEC.md R2, R14; PROTOCOL.md section 2.
function verbs.connect(m, a)
  local key, links = K.provider(m, a.p), K.links(m, a.p)
  if call('EXISTS', key) == 0 then return reply('UNKNOWN') end
  if rights.blocked(m, a.p) then return reply('BLOCKED') end
  if rights.revoked(m, a.p, a.device, a.generation) then return reply('REVOKED') end
  local old, first = call('HGET', links, a.device), call('EXISTS', links) == 0
  if not old and call('HLEN', links) >= a.most then return reply('TOO_MANY') end
  call('HSET', links, a.device, a.gateway .. '|' .. a.conn .. '|' .. (a.background and 1 or 0))
  call('SADD', K.gateway(m, a.gateway), a.p)
  call('ZADD', K.gateways(m), 'NX', clock.wall(), a.gateway) -- one that dies before its first beat is reaped too
  if a.push then call('HSET', key, 'push', 1) end
  if first then gauge.add(m, 'providers.online', 1) end
  record.refresh(m, a.p)
  local out = { seq = tonumber(call('HGET', key, 'seq')), epoch = read.market(m).epoch, devices = call('HLEN', links) }
  if old then
    local gateway, conn = string.match(old, '^([^|]+)|(%d+)')
    out.replaced = { gateway, tonumber(conn) }
    if gateway ~= a.gateway or tonumber(conn) ~= a.conn then
      news.wake(m, gateway, { c = { { a.p, tonumber(conn) } } }, {})
    end
  end
  return reply('LINKED', out)
end
