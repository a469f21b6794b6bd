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
local function flags_of(status, reachable, off, paused, live, cap)
  return (status == 'approved' and 0 or 1) + (reachable and 0 or 2) + (off == '1' and 4 or 0) + (paused == '1' and 8 or 0)
    + ((tonumber(live) or 0) < cap and 0 or 16)
end

-- Keeps until when other flags were his than those of now; `f` are his facts as record.refresh reads them (the ninth: his flags so far).
function past.look(m, pno, f, reachable, cap)
  local old, flags = tonumber(f[9]), flags_of(f[2], reachable, f[4], f[5], f[6], cap)
  if old == flags then return end
  if old then past.note(m, pno, FLAGS, old) end
  call('HSET', K.provider(m, pno), 'flags', flags)
end
