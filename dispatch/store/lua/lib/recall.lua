-- What a provider loses beside a visit that he won, or when he may no longer work, or not for that client.

-- Takes back those open proposals and counteroffers of a provider of which `go(booking, proposal)` is true; others get his seats. With
-- `gap` (he won a visit: `overlap`) a counteroffer goes when none of its own windows fits any more.
function seats.recall(m, pno, reason, go, gap)
  for _, item in ipairs(call('HKEYS', K.open(m, pno))) do
    local kind, bno = string.match(item, '^([pc])(%d+)$')
    local b, p = bno and booking.get(m, bno), bno and seats.get(m, bno, pno)
    if kind == 'p' and go(b, p) then
      seats.withdraw(m, b, pno, p, 'withdrawn', reason)
      booking.attend(m, b.no)
    elseif kind == 'c' and (gap and not offers.fits(m, b, pno, gap) or not gap and go(b, p)) then offers.close_his(m, b, pno) end
  end
end
