-- Silence (R40): proposals in a row that reached a provider and went stale without an answer pause him; whatever he does ends that.

-- A proposal of his has gone stale. One that never reached him, or was a bonus, does not count.
function silence.grows(m, pno, p)
  if p[S.received] == 0 or p[S.kind] == 'bonus' then return end
  local key = K.provider(m, pno)
  local n = call('HINCRBY', key, 'unanswered', 1)
  if n < read.market(m).patience or call('HGET', key, 'paused') == '1' then return end
  call('HSET', key, 'paused', 1)
  record.refresh(m, pno)
  event.note(m, 'Paused', { p = pno, unanswered = n })
  gauge.add(m, 'count.paused', 1)
  local text = ' proposals in a row stayed without an answer: you get no more of them until you do something here'
  inbox.notice(m, pno, 'paused', n .. text)
end

-- He does something: whatever it is.
function silence.ends(m, pno)
  local key = K.provider(m, pno)
  call('HDEL', key, 'unanswered')
  if call('HDEL', key, 'paused') == 0 then return end
  record.refresh(m, pno)
  event.note(m, 'Resumed', { p = pno })
end
