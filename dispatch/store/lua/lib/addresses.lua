-- Where devices are reached without a socket. K.addresses of a provider has, by device, {when it was last named (wall ms), the address as
-- the gateway wrote it}. An address belongs to one device, K.address_owners says to which, by its digest. With any a provider is reachable.

-- The address of a device, or nil.
function pushes.address(m, pno, device)
  local kept = call('HGET', K.addresses(m, pno), device)
  return kept and cmsgpack.unpack(kept)[2]
end

-- The device has none any more.
function pushes.forget(m, pno, device)
  local address = pushes.address(m, pno, device)
  if not address then return end
  call('HDEL', K.addresses(m, pno), device)
  call('HDEL', K.address_owners(m), redis.sha1hex(address))
  if call('EXISTS', K.addresses(m, pno)) == 0 then call('HDEL', K.provider(m, pno), 'push') end
  record.refresh(m, pno)
end

-- None of his devices has one any more.
function pushes.forget_all(m, pno)
  for _, device in ipairs(call('HKEYS', K.addresses(m, pno))) do pushes.forget(m, pno, device) end
end

-- Of a provider's devices with an address, the one that named it longest ago.
local function eldest(m, pno)
  local oldest, since
  for device, kept in pairs(read.hash(K.addresses(m, pno))) do
    local at = cmsgpack.unpack(kept)[1]
    if not since or at < since then oldest, since = device, at end
  end
  return oldest
end

-- The device names its address. Whoever had it before has it no more: another account on the same phone, or the phone under an older name.
-- `most` devices of a provider have one.
function pushes.learn(m, pno, device, address, most)
  local key, digest = K.addresses(m, pno), redis.sha1hex(address)
  local owner, mine = call('HGET', K.address_owners(m), digest), pno .. ':' .. device
  if owner ~= mine then
    if owner then
      local whose, which = string.match(owner, '^(%d+):(.*)$')
      pushes.forget(m, tonumber(whose), which)
    end
    pushes.forget(m, pno, device)
    if call('HLEN', key) >= most then pushes.forget(m, pno, eldest(m, pno)) end
    call('HSET', K.address_owners(m), digest, mine)
  end
  call('HSET', key, device, cmsgpack.pack({ clock.wall(), address }))
  call('HSET', K.provider(m, pno), 'push', 1)
end
