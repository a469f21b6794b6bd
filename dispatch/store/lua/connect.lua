-- connect: a device's socket is open at a gateway; it replaces an older one of the same device. A gateway that was away enters its sockets
-- again, each with its generation (`gen`): one that a newer socket has replaced meanwhile stays out, and so does one of another store.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, p, id (nil: not to be compared), device, gateway, conn, token_gen (generation of its token), background,
--       push (its address; '': it has none; nil: as it was), most (devices a provider), gen and epoch or nil}
-- Replies: LINKED {seq, epoch, gen, devices, replaced {gateway, conn} or nil}, STALE {epoch}, TOO_MANY, UNKNOWN, BLOCKED (his account),
--          REVOKED (the token)
-- Source: SPEC.md R2, R14, P8; PROTOCOL.md section 2.

-- Gateway, connection and generation of a link. One entered by an older version has none: anybody's is newer.
local function parts(link)
  local gateway, conn, gen = string.match(link, '^([^|]+)|(%d+)|%d|?(%d*)')
  return gateway, tonumber(conn), tonumber(gen) or 0
end

-- The next generation of a provider's links; one that comes again keeps its own.
local function generation(key, gen)
  if not gen then return call('HINCRBY', key, 'links', 1) end
  if gen > (tonumber(call('HGET', key, 'links')) or 0) then call('HSET', key, 'links', gen) end
  return gen
end

-- Why he may have no socket here, if he may not.
local function barred(m, a)
  if call('EXISTS', K.provider(m, a.p)) == 0 then return 'UNKNOWN' end
  if a.id and call('HGET', K.provider_ids(m), a.id) ~= tostring(a.p) then return 'UNKNOWN' end
  if rights.blocked(m, a.p) then return 'BLOCKED' end
  return rights.revoked(m, a.p, a.device, a.token_gen) and 'REVOKED'
end

function verbs.connect(m, a)
  local key, links, epoch = K.provider(m, a.p), K.links(m, a.p), read.market(m).epoch
  local why = barred(m, a)
  if why then return reply(why) end
  local old, first = call('HGET', links, a.device), call('EXISTS', links) == 0
  local gateway, conn, gen
  if old then gateway, conn, gen = parts(old) end
  local other = old and (gateway ~= a.gateway or conn ~= a.conn)
  if a.gen and (a.epoch ~= epoch or other and gen >= a.gen) then return reply('STALE', { epoch = epoch }) end
  if not old and call('HLEN', links) >= a.most then return reply('TOO_MANY') end
  gen = generation(key, a.gen)
  call('HSET', links, a.device, a.gateway .. '|' .. a.conn .. '|' .. (a.background and 1 or 0) .. '|' .. gen)
  call('SADD', K.gateway(m, a.gateway), a.p)
  call('ZADD', K.gateways(m), 'NX', clock.wall(), a.gateway) -- one that dies before its first beat is reaped too
  if a.push == '' then pushes.forget(m, a.p, a.device) elseif a.push then pushes.learn(m, a.p, a.device, a.push, a.most) end
  if first then gauge.add(m, 'providers.online', 1) end
  record.refresh(m, a.p)
  if other then news.wake(m, gateway, { c = { { a.p, conn } } }, {}) end
  return reply('LINKED', { seq = tonumber(call('HGET', key, 'seq')), epoch = epoch, gen = gen, devices = call('HLEN', links),
    replaced = old and { gateway, conn } or nil })
end
