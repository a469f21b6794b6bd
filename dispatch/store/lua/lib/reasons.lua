-- Why one provider of the shelf at hand is left out.
local function offers(q, slot)
  for _, service in ipairs(q.services) do
    if call('GETBIT', K.x_service(q.x, service), slot) == 0 then return false end
  end
  return true
end

-- nil when some window fits, else why the last one that failed did.
local function busy(m, q, r)
  local reason = 'hours'
  for i, window in ipairs(q.windows) do
    if fits.overlap(m, r.pno, window, q.gap) then reason = 'overlap'
    elseif fits.works(m, q, r.slot, r.pno, i) then return nil end
  end
  return reason
end

local function unaskable(m, pno, facts, cap)
  if facts[2] ~= '1' and call('EXISTS', K.links(m, pno)) == 0 then return 'unreachable' end
  if facts[3] == '1' then return 'unreachable' end
  if facts[4] == '1' then return 'paused' end
  return tonumber(facts[5]) >= cap and 'cap' or nil
end

-- The first filter, in the order of R2, that leaves out the provider of record `r`; nil when he fits.
function fits.reason(m, q, r, cap)
  local facts = call('HMGET', K.provider(m, r.pno), 'status', 'push', 'off', 'paused', 'live')
  if facts[1] ~= 'approved' then return 'status' end
  if not geometry.covers(m, q, r) then return 'zone' end
  if not offers(q, r.slot) then return 'catalogue' end
  local reason = busy(m, q, r) or q.out[r.pno] and 'blocked' or unaskable(m, r.pno, facts, cap)
  if reason then return reason end
  return r.flags == 1 and fits.disturbed(q, r.dnd_from, r.dnd_to) and 'do_not_disturb' or nil
end
