-- The best of one bucket. Their order is exact among the first CROWD that fit, from a turning start (R5).
local CROWD, WORK, SIZE = 200, 3000, 32

function find.none()
  return { order = {}, asked = {}, pno = {}, slot = {}, text = {}, pos = {}, seen = 0 }
end

-- Takes one into the list of the best, at most k, in order.
function find.take(best, k, asked, pno, slot, text, pos)
  local order, a, p, id = best.order, best.asked, best.pno, #best.asked + 1
  a[id], p[id], best.slot[id], best.text[id], best.pos[id] = asked, pno, slot, text, pos
  local i = #order
  while i > 0 do
    local other = order[i]
    if a[other] < asked or a[other] == asked and p[other] < pno then break end
    if i < k then order[i + 1] = other end
    i = i - 1
  end
  if i < k then order[i + 1] = id end
end

-- One in doubt: his number, when he was last asked, whether he fits. Most are circles, and plain.
local function look(m, q, plainly, slot, text, pos)
  local pno, asked, kind, lat, lng, radius = struct.unpack('<I4dBxxxxxi4i4I4', text, pos)
  local fit
  if plainly and kind % 8 == 1 then fit = plainly(lat, lng, radius) end
  if fit ~= nil then
    q.work = q.work + 1
    return pno, asked, fit
  end
  return pno, asked, q.work < WORK and fits.doubtful(m, q, slot, pno, text, pos)
end

-- Sifts the bytes [at, stop) of the net, of one bucket. One in doubt is looked at while the call has time, else left out. Whether the
-- bucket is crowded now: then the next search begins at best.turn. This is where the time of a match goes, hence the plain loops.
function find.sift(m, q, s, at, stop, best, k)
  local bits, has, none, read2, out, plainly = net.bits, net.has, net.has[0], struct.unpack, q.out, q.plain and q.plainly
  local from, past, text, last, empty = 0, 0, '', best.order[k], net.bits[0]
  local worst = last and best.asked[last] or math.huge
  at = net.seek(s, at, stop)
  while at do
    local first, bytes, doubted = s.first, s.bytes, s.doubted
    for i = at - first + 1, math.min(stop, s.past) - first do
      local byte, list, doubts = bytes[i], empty, none
      if byte ~= 0 then list, doubts = bits[byte], has[doubted[i]] end
      for j = 1, #list do
        local slot, fit, pno, asked = (first + i - 1) * 8 + list[j], true
        if slot < from or slot >= past then from, past, text = net.records(s, slot) end
        local pos = (slot - from) * SIZE + 1
        if doubts[list[j]] then pno, asked, fit = look(m, q, plainly, slot, text, pos)
        else pno, asked = read2('<I4d', text, pos) end
        if fit and not out[pno] then
          if asked < worst or asked == worst and pno < best.pno[last] then
            find.take(best, k, asked, pno, slot, text, pos)
            last = best.order[k]
            worst = last and best.asked[last] or math.huge
          end
          best.seen = best.seen + 1
          if best.seen == CROWD then
            best.turn = slot + 1 - (slot + 1) % 8
            return true
          end
        end
      end
    end
    at = net.seek(s, s.past, stop)
  end
  return false
end

-- The chosen ones of a bucket in full, `most` at most: record, distance, windows that fit.
function find.keep(m, q, bucket, best, most, out, crowded)
  crowded[bucket] = best.turn
  for i = 1, math.min(most, #best.order) do
    local id = best.order[i]
    local r = record.parse(best.slot[id], best.text[id], best.pos[id])
    r.far, r.windows = geometry.distance(r.lat, r.lng, q.lat, q.lng), fits.windows(m, q, r.slot, r.pno)
    out[#out + 1] = r
  end
end
