-- Why a provider may not have what he accepts: what a proposal of his has come to, and what binds whoever wins (R2, R15).
local AFTER = { taken = 'LOST', cancelled = 'CANCELLED', expired = 'EXPIRED', overlap = 'OVERLAP', changed = 'VERSION_CONFLICT',
  taken_over = 'LOST', handed_back = 'LOST', extended = 'EXPIRED' }

-- What became of a proposal that is no longer his to accept; nil: it stands.
local function gone(a, b, p)
  if p and p[S.round] > a.round then return 'VERSION_CONFLICT' end -- he was asked again for other windows
  if not p or p[S.round] ~= a.round or p[S.state] == 'refused' then return 'NOT_ASKED' end
  local his = p[S.state] == 'accepted'
  if his then return (b.state == 'accepted' or b.state == 'taken_over') and 'ALREADY_YOURS' or 'CANCELLED' end
  return not seats.stands(p) and (AFTER[p[S.reason]] or 'NOT_ASKED') or nil
end

-- The word with which an accept is refused, else nil, the index of the window in the booking, and the window.
function seats.refusal(m, a, b, p)
  local no = gone(a, b, p)
  if no then return no end
  if b.state ~= (a.given and 'taken_over' or 'searching') then return 'LOST' end -- cannot be: what ends a search takes its proposals back
  if b.version ~= a.version then return 'VERSION_CONFLICT' end
  local index = p[S.windows][a.window + 1]
  if not index then return 'BAD_WINDOW' end
  if not a.given and (a.at or clock.now()) >= b.ends[index + 1] then return 'EXPIRED' end
  if rights.barred(m, a.p, b.client) then return 'NOT_ASKED' end
  local window = b.spans[index + 1]
  if fits.overlap(m, a.p, window, read.market(m).gap) then return 'OVERLAP' end
  return nil, index, window
end
