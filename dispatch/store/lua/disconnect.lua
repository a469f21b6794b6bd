-- disconnect: sockets of a gateway are gone, one by name or all of some providers.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, gateway, p, device, conn} for one socket, or {m, gateway, limit, silent_since (wall ms) or nil} for the next `limit`
--       providers of a gateway, unless it was heard of after `silent_since`
-- Replies: DONE {left = providers still linked to that gateway}, ALIVE
-- Source: SPEC.md R14; P8.
local function unlink(m, gateway, pno, device, conn)
  local links, stays, gone = read.hash(K.links(m, pno)), false, false
  for name, link in pairs(links) do
    local at, number = string.match(link, '^([^|]+)|(%d+)')
    if at == gateway and (not device or (name == device and tonumber(number) == conn)) then
      call('HDEL', K.links(m, pno), name)
      gone = true
    elseif at == gateway then stays = true end
  end
  if not stays then call('SREM', K.gateway(m, gateway), pno) end
  if gone and call('EXISTS', K.links(m, pno)) == 0 then gauge.add(m, 'providers.online', -1) end
  record.refresh(m, pno)
end

function verbs.disconnect(m, a)
  if a.p then unlink(m, a.gateway, a.p, a.device, a.conn)
  else
    local beat = tonumber(call('ZSCORE', K.gateways(m), a.gateway) or 0)
    if a.silent_since and beat > a.silent_since then return reply('ALIVE') end
    for _, pno in ipairs(call('SRANDMEMBER', K.gateway(m, a.gateway), a.limit)) do unlink(m, a.gateway, tonumber(pno)) end
    if call('EXISTS', K.gateway(m, a.gateway)) == 0 then call('ZREM', K.gateways(m), a.gateway) end
  end
  return reply('DONE', { left = call('SCARD', K.gateway(m, a.gateway)) })
end
