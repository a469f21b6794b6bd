-- The best of one bucket. Their order is exact among the first CROWD that fit, from a turning start (R5).
local CROWD, WORK = 200, 3000

function find.none()
  return { asked = {}, pno = {}, slot = {}, seen = 0 }
end

-- Takes one who fits into the list of the best, at most k, in order. Whether the bucket is crowded now: the next search begins at `turn`.
function find.take(best, k, asked, pno, slot)
  local a, p, s = best.asked, best.pno, best.slot
  local i, last = math.min(#a, k - 1), a[k]
  if not last or asked < last or asked == last and pno < p[k] then
    while i > 0 and (a[i] > asked or a[i] == asked and p[i] > pno) do
      a[i + 1], p[i + 1], s[i + 1] = a[i], p[i], s[i]
      i = i - 1
    end
    a[i + 1], p[i + 1], s[i + 1] = asked, pno, slot
  end
  best.seen = best.seen + 1
  if best.seen < CROWD then return false end
  best.turn = slot + 1 - (slot + 1) % 8
  return true
end

-- Whether one of the net fits. A doubtful one is looked at while the call has time; then he is left out.
function find.holds(m, q, slot, doubt, pno, text, pos)
  return not q.out[pno] and (not doubt or q.work < WORK and fits.doubtful(m, q, slot, pno, text, pos))
end

-- The chosen ones of a bucket in full: record, distance, windows that fit.
function find.keep(m, q, bucket, best, out, crowded)
  crowded[bucket] = best.turn
  for i = 1, #best.slot do
    local r = record.read(m, best.slot[i])
    r.far, r.windows = geometry.distance(r.lat, r.lng, q.lat, q.lng), fits.windows(m, q, r.slot, r.pno)
    out[#out + 1] = r
  end
end
