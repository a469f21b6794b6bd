"""HTTP for the booking service and for operations (PROTOCOL.md section 1). Translates; decides nothing."""

from dispatch.api.app import make_app

__all__ = ["make_app"]
