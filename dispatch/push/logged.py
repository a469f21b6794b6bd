"""The sender of those who have set up none: it writes into the log what would be pushed."""

import structlog

from dispatch.push.sender import Notification, Outcome, Verdict

log = structlog.get_logger("dispatch.push")


class LogSender:
    """Reaches nobody, and says so in its name."""

    name = "log"

    async def send(self, token: str, notification: Notification) -> Outcome:
        """A line without the address: who has it could push to the device."""
        log.info("push_logged", **notification.facts, left_s=notification.left_s)
        return Outcome(Verdict.SENT, None, "logged")

    async def close(self) -> None:
        """Holds nothing."""
