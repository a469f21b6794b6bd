-- extend: the index of some providers reaches further into the future; days that passed are dropped elsewhere.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, list {{p, version, reach, first, quarters, ragged, spans or nil, until}..}}
-- Replies: DONE {extended}: those whose version or reach has changed meanwhile are left alone.
-- Source: DESIGN (35 days of quarter-hours).
function verbs.extend(m, a)
  local n = 0
  for _, one in ipairs(a.list) do
    local slot, version, reach = read.numbers(K.provider(m, one.p), 'slot', 'version', 'until')
    if version == one.version and reach == one.reach then
      index.hours(m, slot, one, true)
      if one.spans then call('HSET', K.x_spans(m), one.p, one.spans) end
      call('HSET', K.provider(m, one.p), 'until', one['until'])
      n = n + 1
    end
  end
  return reply('DONE', { extended = n })
end
