-- What became of the proposals of a class, by the part of their age (AGES, in ms) in which it did; habits.py reads it.

local function add(name, by)
  learned[name] = (learned[name] or 0) + by
end

-- An open proposal (or one answered with other times) ends as `state`. It was open in every part of its age, and accepted, if it was, in
-- the last of them.
function habits.ended(p, state)
  if not seats.stands(p) or not p[S.urgency] then return end -- one sent by an older version has no class
  local age, begin = math.max(0, clock.now() - p[S.sent]), 0
  for part = 0, #AGES do
    local stop, name = AGES[part + 1] or age, p[S.urgency] .. '.' .. part
    if age > begin then add(name .. '.open', math.min(age, stop) - begin) end
    if age <= stop then
      if state == 'accepted' then add(name .. '.yes', 1) end
      return
    end
    begin = stop
  end
end
