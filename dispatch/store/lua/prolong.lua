-- prolong: the index of some providers reaches further into the future; days that passed are dropped elsewhere.
-- KEYS: 1 the market's hash (names the slot).
-- ARGV: 1 msgpack {m, list {{p, version, reach, writes (see lib/index.lua), spans or nil, until}..}}
-- Replies: DONE {done (how many of the list, from its beginning: the call had its time)}; those whose version or reach has changed
--          meanwhile are left alone.
-- Source: DESIGN (35 days of quarter-hours).
function verbs.prolong(m, a)
  local begun = clock.busy()
  for i, one in ipairs(a.list) do
    if i > 1 and index.over(begun) then return reply('DONE', { done = i - 1 }) end
    local key = K.provider(m, one.p)
    local slot, bucket, version, reach = read.numbers(key, 'slot', 'bucket', 'version', 'until')
    local x = shelf.of(m, bucket)
    if version == one.version and reach == one.reach and not index.write(x, slot, one.writes, { 1, 1 }, begun + 1) then
      if one.spans then call('HSET', K.x_spans(m), one.p, one.spans) end
      call('HSET', key, 'until', one['until'])
    end
  end
  return reply('DONE', { done = #a.list })
end
