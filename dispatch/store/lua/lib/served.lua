-- Who has served whom (R26, R27): written by `complete`, and by nothing else.

-- A provider has completed a service for a client.
function served.add(m, pno, cno)
  call('HINCRBY', K.provider(m, pno), 'done', 1)
  call('SADD', K.served(m, pno), cno)
  call('ZADD', K.known(m, cno), clock.now(), pno)
end

function served.knows(m, pno, cno)
  return call('SISMEMBER', K.served(m, pno), cno) == 1
end
