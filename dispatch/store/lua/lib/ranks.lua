-- A provider's rank: tier, score and class (R7) as they were last computed or seeded, and his slot, which follows it.

-- To another bucket when his rank is another. Returns his slot, when he was last asked, and {bucket, slot} that is left to be swept or nil.
function shelf.move(m, pno, rank)
  local slot, bucket = read.numbers(K.provider(m, pno), 'slot', 'bucket')
  local x = shelf.of(m, bucket)
  local asked = record.read(x, slot).asked or 0
  if not rank or rank.bucket == bucket then return slot, asked end
  index.leave(m, x, slot)
  if call('HGET', K.provider(m, pno), 'askable') == '1' then gauge.add(m, 'providers.askable', -1) end
  local new = slots.take(m, rank.bucket)
  past.note(m, pno, past.RANK, bucket)
  call('HSET', K.provider(m, pno), 'slot', new, 'bucket', rank.bucket, 'askable', 0)
  return new, asked, { bucket, slot }
end

-- Writes his rank (nil: it stays). What he has done counts for more than what was said of him. Returns it, and how often he has answered.
function shelf.rank(m, pno, rank)
  local key = K.provider(m, pno)
  local orders, answered, bucket, score = read.numbers(key, 'orders', 'answered', 'bucket', 'score')
  if not rank then return { bucket = bucket, score = score }, answered end
  answered = math.max(answered, rank.answered)
  call('HSET', key, 'tier', rank.tier, 'score', rank.score, 'orders', math.max(orders, rank.orders), 'answered', answered)
  return rank, answered
end

-- The bit of those who are approved, whether they can be reached or not.
function index.approve(m, pno, status)
  local x, slot = shelf.place(m, pno)
  call('SETBIT', K.x_approved(x), slot, status == 'approved' and 1 or 0)
end
