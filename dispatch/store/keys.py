"""Every key the engine has in the store, and nowhere else.

All keys of a market carry the hash tag ``{market}``: whatever one verb touches lives in one slot. The same templates are
rendered into the server functions as ``K.name(m, ...)``. A ``%s`` stands for a part; the first part is always the market, and in what
begins with SHELF the second one is the shelf: those are ``K.name(x, ...)`` there, with ``x = K.shelf(m, number)``.
"""

from collections.abc import Mapping

MARKETS = "dispatch:markets"  # set of market names
API_KEYS = "dispatch:keys"  # hash digest -> key record
BEATS = "dispatch:beats"  # hash role:id -> wall ms of the last beat of that process

SHELF = "{%s}:x:%s"  # how everything begins that belongs to one shelf of the match index

TEMPLATES: Mapping[str, str] = {
    "market": "{%s}:market",  # hash: settings, catalogue, areas, version, epoch, gap, cap, hook, policy
    "numbers": "{%s}:numbers",  # hash: last number given to a provider, booking, client, rights; slots<shelf>: end of its slot space
    "provider_ids": "{%s}:ids:p",  # hash provider_id -> pno
    "booking_ids": "{%s}:ids:b",  # hash booking_id -> bno
    "client_ids": "{%s}:ids:c",  # hash client_id -> cno
    "provider": "{%s}:p:%s",  # hash: operational state of a provider (codes and numbers); keen, slow: see lua/lib/keen.lua
    "unwritten": "{%s}:unwritten",  # sorted set pno -> wall ms from which anybody may finish what was begun for him in the index
    "profile": "{%s}:pw:%s",  # string: his settings and outside id (erasable)
    "links": "{%s}:l:%s",  # hash device -> gateway|connection|background|generation: his open sockets
    "revoked": "{%s}:rv:%s",  # hash device (* all) -> token generation from which on its tokens are good; #: the one of his tokens now
    "rights": "{%s}:rights",  # stream: providers whose sockets are to be looked at again, id = number
    "inbox": "{%s}:i:%s",  # stream: his last messages, id = seq
    "open": "{%s}:o:%s",  # hash p<bno>|b<bno>|t -> the message as last sent: what is open for him; t is a test
    "visits": "{%s}:v:%s",  # sorted set start ms -> bno:start:end: the visits he holds
    "booking": "{%s}:b:%s",  # hash: state of a booking (codes and numbers)
    "who": "{%s}:bw:%s",  # hash: ids, note, exact place of a booking (erasable)
    "decisions": "{%s}:d:%s",  # string: what was decided for a booking, wave by wave (see lua/lib/decisions.lua)
    "past": "{%s}:h:%s",  # list: what was true of a provider before it changed (see lua/lib/past.lua)
    "profiles_past": "{%s}:hw:%s",  # list: until when (ms, big-endian double), his settings and outside id (erasable)
    "proposals": "{%s}:pr:%s",  # hash pno -> proposal; booking 0: the last test of each
    "counteroffers": "{%s}:co:%s",  # hash number -> other times that a provider proposed for a booking
    "counter_due": "{%s}:codue",  # sorted set bno.number -> ms at which an open counteroffer expires
    "follow_ups": "{%s}:fu",  # hash number -> what a provider asked of ops, and who saw to it when
    "follow_up_words": "{%s}:fu:words",  # hash number -> his words (erasable)
    "follow_ups_open": "{%s}:fu:open",  # sorted set number -> ms at which it was asked
    "follow_ups_done": "{%s}:fu:done",  # sorted set number -> ms at which it was done
    "timeline": "{%s}:t:%s",  # list: events of a booking
    "events": "{%s}:events",  # stream: all events of the market
    "due": "{%s}:due",  # sorted set bno -> ms at which its plan wants attention
    "gauges": "{%s}:gauges",  # hash name -> number
    "habits": "{%s}:habits",  # hash class.part.open|yes -> ms or number: what became of proposals by their age (habits.py)
    "trials": "{%s}:trials",  # sorted set pno -> ms at which the test proposal that is open for him ends
    "request": "{%s}:r:%s",  # string: the stored answer of a request id
    "gateway": "{%s}:gl:%s",  # set of pno with a socket at that gateway
    "gateways": "{%s}:gateways",  # sorted set gateway -> wall ms of its last beat
    "outbox": "{%s}:w:%s",  # list: events of a booking that the booking service has yet to get
    "outbox_due": "{%s}:wdue",  # sorted set bno -> wall ms of the next delivery
    "dead": "{%s}:wdead",  # stream: deliveries given up
    "addresses": "{%s}:pa:%s",  # hash device -> when it was named, push address: where a provider's devices are reached without a socket
    "address_owners": "{%s}:pown",  # hash digest of a push address -> pno:device
    "pushes": "{%s}:ps:%s",  # hash bno -> which devices of a provider are owed, or were sent, a push of that proposal
    "push_due": "{%s}:psdue",  # sorted set pno.bno -> wall ms at which one of them is owed
    "bookings_of": "{%s}:cb:%s",  # set of bno: what a client has booked, until it is cancelled or completed
    "served": "{%s}:sv:%s",  # set of cno: the clients whom a provider has served
    "known": "{%s}:kn:%s",  # sorted set pno -> ms of the last service: the providers who have served a client
    "codes": "{%s}:codes",  # hash code -> pno: personal links
    "codes_of": "{%s}:cd:%s",  # set of the codes of a provider's personal links
    "starved": "{%s}:starved",  # sorted set bno -> ms at which bonus proposals are looked for: a wave found nobody left
    "blocks": "{%s}:bk:%s",  # set of pno blocked with a client, either side
    "block_sides": "{%s}:bks:%s",  # hash pno -> who wants a client and him apart (1 he, 2 the client, 3 both)
    "blacklist": "{%s}:blacklist",  # hash cno -> reason
    "claims": "{%s}:fw:%s",  # hash pno:id -> an accept of that booking that waits for the end of its fair window
    "v_services": "{%s}:vac:s",  # set of services that some vacancy asks for first (lua/lib/vacancy.lua)
    "v_places": "{%s}:vac:p:%s",  # set of the places at which vacancies of that service lie: g<square of the map>, a<area>
    "v_list": "{%s}:vac:l:%s:%s",  # sorted set of a service and a place: bookings with vacancies, the most urgent first
    "v_briefs": "{%s}:vac:b",  # hash bno -> what a look at it needs, with the exact place (erasable; gone with the last vacancy)
    "freed": "{%s}:freed",  # sorted set pno -> ms since which a provider is to meet the vacancies
    "regions": "{%s}:regions",  # set of H3 cells (res 3) that some zone reaches
    "taken": "{%s}:taken",  # sorted set bno -> ms at which a booking in the hands of ops is overdue (inf: it was told)
    "alarms": "{%s}:alarms",  # sorted set kind:bno -> ms since which ops are called to it
    "audit": "{%s}:audit",  # stream: what was done by hand, id = number; codes and numbers
    "audit_words": "{%s}:auditw",  # hash number -> who did it by name, and why (erasable)
    "settings_log": "{%s}:setlog",  # stream: what changes of the market's settings changed, id = number; codes and values of settings
    "settings_words": "{%s}:setlogw",  # hash number -> the name of the key that changed them (erasable)
    "shelf": SHELF,
    "x_reach": "{%s}:x:%s:in:%s",  # bitmap: zone covers the cell or may cover a part of it
    "x_rim": "{%s}:x:%s:rim:%s",  # bitmap: zone may cover a part of the cell, not all of it
    "x_area": "{%s}:x:%s:ar:%s",  # bitmap: zone lists this area
    "x_service": "{%s}:x:%s:s:%s",  # bitmap: catalogue holds the service
    "x_quarter": "{%s}:x:%s:q:%s",  # bitmap: free during some part of this UTC quarter-hour
    "x_ragged": "{%s}:x:%s:q:%s:part",  # bitmap: free during some part of this UTC quarter-hour, and not during all of it
    "x_disturb": "{%s}:x:%s:dnd:%s",  # bitmap: not to be disturbed during this quarter of the local day (0 to 95)
    "x_stir": "{%s}:x:%s:stir:%s",  # bitmap: not to be disturbed during a part of it
    "x_askable": "{%s}:x:%s:ask",  # bitmap, as long as the slot space: approved, reachable, available, unpaused, below the cap
    "x_newcomer": "{%s}:x:%s:new",  # bitmap: has answered few proposals (R6)
    "x_approved": "{%s}:x:%s:ok",  # bitmap: approved, reachable or not (R9)
    "x_records": "{%s}:x:%s:rec:%s",  # string: 32 bytes a slot, 4096 slots (see lua/lib/record.lua)
    "x_extents": "{%s}:x:%s:ext",  # string: 9 bytes an extent of the shelf, in rank order (bucket, first, end)
    "x_fill": "{%s}:x:fill",  # hash bucket -> next free slot of its newest extent, and its end
    "x_spare": "{%s}:x:spare:%s",  # list of slots given back, by bucket
    "x_waiting": "{%s}:x:wait:%s",  # sorted set of a bucket: number and slot (big-endian u32), by when he was last asked
    "x_turn": "{%s}:x:turn",  # string: 4 bytes a bucket, the slot at which the next search of a crowded bucket begins
    "x_rings": "{%s}:x:rings",  # hash pno -> polygon ring, int32 pairs
    "x_spans": "{%s}:x:spans",  # hash pno -> exact hours of a provider whose quarters are ragged, uint32 minute pairs
    "scratch": "{%s}:~%s",  # results of BITOP inside one call; never written to disk
}

CHANNELS: Mapping[str, str] = {
    "gateway_wakes": "{%s}:gw:%s",  # a gateway's providers have new messages
    # a timer (t), webhook (h), push (p), freed provider (f) or starving booking (b) became due earlier than anyone sleeps
    "due_wakes": "{%s}:wake",
}


def key(name: str, market: str, *parts: object) -> str:
    """The key or channel ``name`` of a market. KeyError for a name that is not in the tables."""
    template = TEMPLATES.get(name) or CHANNELS[name]
    return template % (market, *parts)


def lua() -> str:
    """The templates as Lua functions ``K.name(m, ...)``, those of a shelf as ``K.name(x, ...)``."""
    return "\n".join(_lua(name, template) for name, template in {**TEMPLATES, **CHANNELS}.items())


def _lua(name: str, template: str) -> str:
    of_shelf = template.startswith(f"{SHELF}:")
    pieces = (template.replace(SHELF, "%s", 1) if of_shelf else template).split("%s")
    args = ["x" if of_shelf else "m", "a", "b"][: len(pieces) - 1]
    body = " .. ".join(f"'{piece}' .. {arg}" if piece else arg for piece, arg in zip(pieces, args, strict=False))
    return f"function K.{name}({', '.join(args)}) return {body}{f' .. {chr(39)}{pieces[-1]}{chr(39)}' if pieces[-1] else ''} end"
