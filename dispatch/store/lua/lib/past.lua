-- What was true of a provider before it changed, for `explain` (R8). An entry says until when something was so:
--   {moment, 1, flags}; {moment, 2 (a visit was taken on) or 3 (given back), start, end}; {moment, 4, bucket}; {moment, 5, client, 0 or 1
--   (they were blocked)}. Of his settings, whole ones are kept, with what can be erased. The oldest entries go first.
local MOST, SETTINGS = 128, 8
past.VISIT, past.FREED, past.RANK, past.BLOCK = 2, 3, 4, 5
local FLAGS = 1

function past.note(m, pno, kind, ...)
  local key = K.past(m, pno)
  if call('RPUSH', key, cmsgpack.pack({ clock.now(), kind, ... })) > MOST then call('LPOP', key) end
end

-- His settings are about to be replaced.
function past.settings(m, pno, new)
  local old = call('GET', K.profile(m, pno))
  if not old or old == new then return end
  local key = K.profiles_past(m, pno)
  if call('RPUSH', key, struct.pack('>d', clock.now()) .. old) > SETTINGS then call('LPOP', key) end
end

-- Why he could not be asked, as flags: 1 not approved, 2 without socket and push address, 4 switched off, 8 paused, 16 at the cap.
function past.flags(approved, reachable, on, unpaused, below)
  return (approved and 0 or 1) + (reachable and 0 or 2) + (on and 0 or 4) + (unpaused and 0 or 8) + (below and 0 or 16)
end

-- His flags are these from now on; `old` are those until now (nil: he is new).
function past.flagged(m, pno, old, flags)
  if old then past.note(m, pno, FLAGS, tonumber(old)) end
  call('HSET', K.provider(m, pno), 'flags', flags)
end
