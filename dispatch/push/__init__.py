"""Push: tells a device of a proposal when no socket does. One sender a push service; those that nobody has set up go to the log.

A notification says id, kind and expiry of a proposal and nothing else: whoever carries it learns nothing of anybody.
"""

from dispatch.push.addresses import KINDS, unfit
from dispatch.push.sender import ATTEMPT_S, Notification, Outcome, PushSender, Verdict
from dispatch.push.services import Services

__all__ = ["ATTEMPT_S", "KINDS", "Notification", "Outcome", "PushSender", "Services", "Verdict", "unfit"]
