-- Which providers a client knows: those who have served him.

function acquaintance.known(m, cno, pno)
  return call('SISMEMBER', K.known(m, cno), pno) == 1
end
