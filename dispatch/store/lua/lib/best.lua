-- The best of one bucket. Their order is exact among the first CROWD that fit, from a turning start (R5).
local CROWD, WORK = 200, 3000

-- Takes one who fits into the list of the best of his bucket, at most k, in order.
local function take(best, k, asked, pno, slot)
  local a, p, s, i = best.asked, best.pno, best.slot, math.min(#best.asked, k - 1)
  local last = a[k]
  if last and (last < asked or last == asked and p[k] < pno) then return end
  while i > 0 and (a[i] > asked or a[i] == asked and p[i] > pno) do
    a[i + 1], p[i + 1], s[i + 1] = a[i], p[i], s[i]
    i = i - 1
  end
  a[i + 1], p[i + 1], s[i + 1] = asked, pno, slot
end

-- Goes through n slots until the bucket is crowded. A doubtful one is looked at while the call has time; then he is left out.
function find.sift(m, q, s, slots, doubts, n, best, k)
  local unpack2, seen = struct.unpack, best.seen
  for i = 1, n do
    local text, pos = net.record(s, slots[i])
    local pno, asked = unpack2('<I4d', text, pos)
    if not q.out[pno] and (not doubts[i] or q.work < WORK and fits.doubtful(m, q, slots[i], pno, text, pos)) then
      seen = seen + 1
      take(best, k, asked, pno, slots[i])
      if seen == CROWD then
        best.turn = slots[i] + 1 - (slots[i] + 1) % 8
        break
      end
    end
  end
  best.seen = seen
end

function find.none()
  return { asked = {}, pno = {}, slot = {}, seen = 0 }
end

-- The chosen ones of a bucket in full: record, distance, windows that fit.
function find.keep(m, q, bucket, best, out, crowded)
  crowded[bucket] = best.turn
  for _, slot in ipairs(best.slot) do
    local r = record.read(m, slot)
    r.far, r.windows = geometry.distance(r.lat, r.lng, q.lat, q.lng), fits.windows(m, q, r.slot, r.pno)
    out[#out + 1] = r
  end
end
