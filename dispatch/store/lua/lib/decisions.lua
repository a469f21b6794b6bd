-- The record of what was decided for a booking, wave by wave, for `explain` (R8). Together with the past of the providers (past.lua) it
-- tells for anybody what was true then. A row is WIDTH bytes:
--   since the opening u32 (ms), wave u8, what u8 (1: a fill, 2: under-performers stayed out, 4: the first wave was skipped), round u8,
--   size u8 (asked for), seats u8 (given), drawn u8 (of them, newcomers), travel gap u16 (s), last u8 (bucket of the last one by rank; 255:
--   none)
local ROW, WIDTH, MOST, FIRST = '<I4BBBBBBI2B', 13, 45, 8
local FILL, WITHOUT, SKIPPED, NOBODY = 1, 2, 4, 255

-- `did`: first (the plan was one of a first wave), seats, drawn, last, gap. Of many rows the first ones and the newest are kept.
function decisions.note(m, b, plan, did)
  local skipped = did.first and plan.wave > 1
  local what = (plan.kind == 'wave' and 0 or FILL) + (did.first and not skipped and WITHOUT or 0) + (skipped and SKIPPED or 0)
  local row = struct.pack(ROW, clock.now() - tonumber(b.opened_at), math.min(255, plan.wave), what, b.round % 256,
    math.min(255, plan.size), did.seats, did.drawn, did.gap / 1000, did.last or NOBODY)
  local key = K.decisions(m, b.no)
  if call('APPEND', key, row) <= MOST * WIDTH then return end -- up to here it takes under a kilobyte, spare room included
  local rows = call('GET', key)
  call('SET', key, string.sub(rows, 1, FIRST * WIDTH) .. string.sub(rows, (FIRST + 1) * WIDTH + 1))
end
