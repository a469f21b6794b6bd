"""Push: tells a device of a proposal when no socket does. One sender a push service; those that nobody has set up go to the log.

A notification says id, kind and expiry of a proposal and nothing else: whoever carries it learns nothing of anybody. ``services`` is not
named here: it brings HTTP clients along, of which a gateway, which only looks at addresses, needs none.
"""

from dispatch.push.addresses import KINDS, unfit
from dispatch.push.sender import ATTEMPT_S, Kind, Notification, Outcome, PushSender, Verdict

__all__ = ["ATTEMPT_S", "KINDS", "Kind", "Notification", "Outcome", "PushSender", "Verdict", "unfit"]
