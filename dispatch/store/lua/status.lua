-- status: a provider switches himself on or off, or an app goes to the background; a sign of life ends a pause (R40).
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, p, device, available or nil, background or nil, gen (of the link that says so) or nil}
-- Replies: DONE
-- Source: PROTOCOL.md section 2 (status).
function verbs.status(m, a)
  local key, links = K.provider(m, a.p), K.links(m, a.p)
  if a.available ~= nil then call('HSET', key, 'off', a.available and 0 or 1) end
  silence.ends(m, a.p)
  local link = a.background ~= nil and call('HGET', links, a.device)
  local head, gen = string.match(link or '', '^([^|]+|%d+|)%d(.*)$')
  if head and (not a.gen or gen == '|' .. a.gen) then -- a socket that was replaced does not speak for the one that is there
    call('HSET', links, a.device, head .. (a.background and 1 or 0) .. gen)
  end
  record.refresh(m, a.p)
  return reply('DONE')
end
