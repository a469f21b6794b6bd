"""How long a link may stand: as long as its token is good. In time before that its device is asked for the next one, once."""

from dispatch.gateway.limits import NEVER


class Tenure:
    """Until when a token is good, and when to ask for the next one. Moments are the session's."""

    __slots__ = ("_ask_at", "ends")

    def __init__(self) -> None:
        self.ends = self._ask_at = NEVER

    def begin(self, ends: int, now: int, notice_ms: int) -> None:
        """A token that is good until then. The notice of one that is short-lived is a third of what is left."""
        self.ends = ends
        self._ask_at = NEVER if ends == NEVER else ends - min(notice_ms, max(0, ends - now) // 3)

    @property
    def due(self) -> int:
        """When there is something to do."""
        return min(self._ask_at, self.ends)

    def asks(self, now: int) -> bool:
        """Whether to ask for the next token now; true once for each."""
        if now < self._ask_at:
            return False
        self._ask_at = NEVER
        return True
