-- A booking as its holder sees it.

-- Everything its holder may know: {key, value, ...} pairs of the message `booking`.
function booking.face(m, b, window)
  local who = read.hash(K.who(m, b.no))
  return { 'booking_id', who.booking_id, 'version', b.version, 'state', b.state,
    'place', { lat_e6 = tonumber(who.lat), lng_e6 = tonumber(who.lng), address = who.address or null },
    'client', { client_id = who.client_id }, 'services', cmsgpack.unpack(b.services),
    'windows', { { start = window[1], ['end'] = window[2] } }, 'area', cmsgpack.unpack(b.area),
    'price_cents', tonumber(b.price), 'currency', b.currency, 'note', who.note or '' }
end

-- Tells the devices of the holder how his booking stands; while it stands it is among what is open for him. Returns its face.
function booking.tell(m, b, pno, window)
  local face = booking.face(m, b, window)
  local frame = inbox.push(m, pno, 1 + #face / 2, inbox.body('type', 'booking', unpack(face)))
  if b.state == 'accepted' or b.state == 'taken_over' then call('HSET', K.open(m, pno), 'b' .. b.no, frame)
  else call('HDEL', K.open(m, pno), 'b' .. b.no) end
  return face
end

function booking.as_map(face)
  local out = {}
  for i = 1, #face, 2 do out[face[i]] = face[i + 1] end
  return out
end
