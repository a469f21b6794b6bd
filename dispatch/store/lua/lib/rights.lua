-- Who may hold a socket: not one whose account is blocked, nor one with a token from before its device was revoked. A token carries the
-- generation its provider was in when it was issued; a revocation begins the next one (decision 19).

-- Whether the account is blocked; one that is still being written is judged by what it is going to be.
function rights.blocked(m, pno)
  local status, rest = unpack(call('HMGET', K.provider(m, pno), 'status', 'rest'))
  if status == 'loading' and rest then status = cmsgpack.unpack(rest).status end
  return status == 'inactive'
end

-- Whether the tokens of that generation are worth nothing any more to the device.
function rights.revoked(m, pno, device, token_gen)
  local since = call('HMGET', K.revoked(m, pno), device, '*')
  return math.max(tonumber(since[1]) or 0, tonumber(since[2]) or 0) > (token_gen or 0)
end

-- His account is blocked: nothing reaches his devices any more, by whichever way.
function rights.block(m, pno)
  pushes.forget_all(m, pno)
  rights.changed(m, pno)
end

-- Every gateway looks again at the sockets of a provider. It reads that he is to be looked at; the wake-up only makes it read at once.
function rights.changed(m, pno)
  local number = call('HINCRBY', K.numbers(m), 'rights', 1)
  call('XADD', K.rights(m), 'MAXLEN', 1000, number .. '-0', 'p', pno)
  local woken_already = {}
  for _, link in ipairs(call('HVALS', K.links(m, pno))) do
    local gateway = string.match(link, '^[^|]+')
    if not woken_already[gateway] then news.wake(m, gateway, { r = 1 }, {}) end
    woken_already[gateway] = true
  end
end

-- Whether he may not be sent to this client any more: his account has been closed, or one of them has blocked the other.
function rights.barred(m, pno, cno)
  local status = call('HGET', K.provider(m, pno), 'status') -- `loading`: his settings are just being replaced
  return status == 'inactive' or status == 'pending' or call('SISMEMBER', K.blocks(m, cno), pno) == 1
end
