-- admit: enrolled providers, whose bitmaps are painted by now, take part.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, list {{pno, status}..}, spare {{bucket, first, stop}..}}
-- Replies: DONE
-- Source: PROTOCOL.md (import).
function verbs.admit(m, a)
  local written = {}
  for i, one in ipairs(a.list) do
    written[i] = one[1]
    local key = K.provider(m, one[1])
    if call('HGET', key, 'status') == 'loading' then
      call('HSET', key, 'status', one[2])
      index.approve(m, one[1], one[2])
      record.refresh(m, one[1])
      event.note(m, 'ProviderPut', { p = one[1], created = true })
      if one[2] == 'inactive' and call('EXISTS', K.links(m, one[1]), K.addresses(m, one[1])) > 0 then rights.block(m, one[1]) end
    end
  end
  if #written > 0 then call('ZREM', K.unwritten(m), unpack(written)) end
  for _, s in ipairs(a.spare) do slots.add_spare(m, s[1], s[2], s[3]) end
  return reply('DONE')
end
