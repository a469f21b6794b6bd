-- Bringing messages to the gateways that hold their readers. What is lost on the way is read from the inbox later.

-- A message to a gateway: the length of its head (4 bytes), the head {p = providers, n = length of the frame for each, c = connections to
-- close {provider, connection}, r = there is news of rights}, the frames.
function news.wake(m, gateway, head, frames)
  local packed = cmsgpack.pack(head)
  call('SPUBLISH', K.gateway_wakes(m, gateway), struct.pack('>I4', #packed) .. packed .. table.concat(frames))
end

-- Brings what was written to each gateway that holds one of the providers: one message a verb, whatever their number.
function news.wake_gateways(m)
  local by_gateway, links = {}, {}
  for i = 1, #woken do
    local pno, frame = woken[i][1], woken[i][2]
    links[pno] = links[pno] or call('HVALS', K.links(m, pno))
    for _, link in ipairs(links[pno]) do
      local gateway = string.match(link, '^[^|]+')
      local to = by_gateway[gateway] or { p = {}, n = {}, frames = {} }
      if to.last ~= i then -- he may have several devices there
        local n = #to.p + 1
        to.p[n], to.n[n], to.frames[n], to.last = pno, #frame, frame, i
      end
      by_gateway[gateway] = to
    end
  end
  for gateway, to in pairs(by_gateway) do news.wake(m, gateway, { p = to.p, n = to.n }, to.frames) end
end
