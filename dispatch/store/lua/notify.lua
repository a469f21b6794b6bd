-- notify: the next pushes to send; each is lent for a while, so that a dead worker loses nothing.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, limit, lend (ms of wall time), most (attempts of one)}
-- Replies: DONE {list {{pno, bno, device, address, proposal id, kind (proposal, withdrawn, test), expires (engine ms), tries}..},
--          at (engine ms), more (to be looked at now)}
-- Source: SPEC.md R14; PROTOCOL.md section 2 (push: no socket, background, or no ack in 3 s).

-- What keeps a push that is due from being sent: a word to count, `needless`, or nil.
local function obstacle(r, device, most)
  local one = r.to[device]
  if clock.now() >= r.expires then return 'expired' end
  if one.tries >= most then return 'failed' end
  if one.kind == 'test' and r.gone then return 'needless' end -- whoever sent it died, and it was answered meanwhile
end

local function lend(m, pno, bno, a, list)
  local r = pushes.get(m, pno, bno) or { to = {} }
  for device, one in pairs(r.to) do
    if one.state ~= 'sent' and one.due <= clock.wall() then
      if r.gone and one.kind == 'proposal' then one.kind, one.tries = 'withdrawn', 0 end
      local address, why = pushes.address(m, pno, device), obstacle(r, device, a.most)
      if not address or why == 'needless' then r.to[device] = nil
      elseif why then pushes.settle(m, pno, bno, r, device, why)
      else
        one.state, one.due, one.tries = 'lent', clock.wall() + a.lend, one.tries + 1
        list[#list + 1] = { pno, bno, device, address, r.id, one.kind, r.expires, one.tries }
      end
    end
  end
  pushes.put(m, pno, bno, r)
end

function verbs.notify(m, a)
  local list, members = {}, call('ZRANGEBYSCORE', K.push_due(m), '-inf', clock.wall(), 'LIMIT', 0, a.limit)
  for _, member in ipairs(members) do
    local pno, bno = string.match(member, '^(%d+)%.(%d+)$')
    if #list < a.limit then lend(m, tonumber(pno), tonumber(bno), a, list) end
  end
  return reply('DONE', { list = list, at = clock.now(), more = #members == a.limit })
end

-- The record of what was lent, and its device; nil when it is lent no more.
local function lent(m, a)
  local r = pushes.get(m, a.p, a.bno)
  local one = r and r.to[a.device]
  if one and r.id == a.id and one.state == 'lent' and one.kind == a.kind and one.tries == a.tries then return r, one end
end

-- notified: ARGV {m, p, bno, device, id, kind, tries, outcome (sent, failed, gone), address}: what became of it; an address that is gone is
-- dropped at once, unless the device has another by now. Replies: DONE, STALE
function verbs.notified(m, a)
  if a.outcome == 'gone' and pushes.address(m, a.p, a.device) == a.address then pushes.forget(m, a.p, a.device) end
  local r = lent(m, a)
  if not r then return reply('STALE') end
  pushes.settle(m, a.p, a.bno, r, a.device, a.outcome)
  pushes.put(m, a.p, a.bno, r)
  return reply('DONE')
end

-- postponed: ARGV {m, p, bno, device, id, kind, tries, wait (ms)}: it did not arrive; once more later. Replies: DONE, STALE
function verbs.postponed(m, a)
  local r, one = lent(m, a)
  if not r then return reply('STALE') end
  one.state, one.due = 'owed', clock.wall() + a.wait
  pushes.put(m, a.p, a.bno, r)
  return reply('DONE')
end
