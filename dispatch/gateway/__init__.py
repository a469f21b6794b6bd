"""The gateway: websockets of devices on one side, the store on the other. ``server`` performs what ``session`` decides.

None of its state is the only copy: whatever a gateway knows, another can read from the store when the device comes back there.
"""

from dispatch.gateway.limits import Limits
from dispatch.gateway.server import serve
from dispatch.gateway.upgrade import listen

__all__ = ["Limits", "listen", "serve"]
