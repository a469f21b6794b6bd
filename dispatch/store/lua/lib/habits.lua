-- What became of the proposals of a class, by the part of their age (AGES, in ms) in which it did; forecast.py reads it.

local function add(name, by)
  learned[name] = (learned[name] or 0) + by
end

-- An open proposal ends as `state`. It was open in every part of its age, and accepted, if it was, in the last of them.
function habits.ended(p, state)
  if p[S.state] ~= 'open' or not p[S.urgency] then return end -- one sent by an older version has no class
  local age, begin, part = math.max(0, clock.now() - p[S.sent]), 0, 0
  repeat
    local stop, name = AGES[part + 1] or age, p[S.urgency] .. '.' .. part
    if age > begin then add(name .. '.open', math.min(age, stop) - begin) end
    if age <= stop and state == 'accepted' then add(name .. '.yes', 1) end
    begin, part = stop, part + 1
  until age <= begin
end

-- Adds what this call has learned to what is known of the market.
function habits.write(m)
  local names, flat = {}, {}
  for name in pairs(learned) do names[#names + 1] = name end
  if #names == 0 then return end
  local values = call('HMGET', K.habits(m), unpack(names))
  for i, name in ipairs(names) do
    flat[2 * i - 1], flat[2 * i] = name, (tonumber(values[i]) or 0) + learned[name]
  end
  call('HSET', K.habits(m), unpack(flat))
end
