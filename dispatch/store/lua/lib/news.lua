-- What a verb tells the world: webhooks, messages in inboxes, and the wake-ups at its end.

-- An event the booking service must get; kept only while the market has somewhere to send it.
function outbox.add(m, bno, name, data)
  local of = read.market(m)
  if of.hook ~= '1' then return end
  local at = clock.now()
  local id = 'evt_' .. of.epoch .. '_' .. bno .. '_' .. call('HINCRBY', K.booking(m, bno), 'hooks', 1) -- no two markets share one
  call('RPUSH', K.outbox(m, bno), cmsgpack.pack({ id = id, type = name, at = at, data = data, attempts = 0, first = clock.wall() }))
  call('ZADD', K.outbox_due(m), 'NX', clock.wall(), bno)
  woken.hook = true
end

-- Appends one message to a provider's inbox. `body` is the message's msgpack pairs but `seq`, `pairs` their number.
function inbox.push(m, pno, pairs, body)
  local seq = call('HINCRBY', K.provider(m, pno), 'seq', 1)
  local frame = string.char(0x81 + pairs) .. '\163seq' .. cmsgpack.pack(seq) .. body
  call('XADD', K.inbox(m, pno), 'MAXLEN', 128, seq .. '-0', 'f', frame)
  woken[#woken + 1] = { pno, frame }
  return frame, seq
end

-- Something to tell a provider on all his devices; `booking_id`, where it is about one.
function inbox.notice(m, pno, kind, text, booking_id)
  if booking_id then return inbox.push(m, pno, 4, inbox.body('type', 'notice', 'kind', kind, 'text', text, 'booking_id', booking_id)) end
  inbox.push(m, pno, 3, inbox.body('type', 'notice', 'kind', kind, 'text', text))
end

-- key, value, key, value ... as msgpack pairs.
function inbox.body(...)
  local out = { ... }
  for i = 1, #out do out[i] = cmsgpack.pack(out[i]) end
  return table.concat(out)
end

-- Before and after each verb.
function news.begin(a)
  hand = a.hand and a.hand.key
  woken, counted, told, learned, market, instant = {}, {}, {}, {}, nil, nil
end

function news.flush(m)
  fair.flush(m)
  offers.settle(m)
  event.write(m)
  gauge.write(K.gauges(m), counted)
  gauge.write(K.habits(m), learned)
  news.wake_gateways(m)
  local worker = (woken.timer and 't' or '') .. (woken.hook and 'h' or '') .. (woken.push and 'p' or '') .. (woken.freed and 'f' or '')
    .. (woken.bonus and 'b' or '')
  if worker ~= '' then call('SPUBLISH', K.due_wakes(m), worker) end
end
