"""What is said of a proposal."""

import time

from dispatch.push import Kind, Notification

EXPIRES_AT = 1_804_849_200_000  # of the engine's time; in a demo that is another time than the wall's


def told(kind: Kind = Kind.PROPOSAL, *, left_s: int = 600, id: str = "7.1.42") -> Notification:
    return Notification(id=id, kind=kind, expires_at=EXPIRES_AT, until_s=int(time.time()) + left_s, left_s=left_s)


FACTS = {"id": "7.1.42", "kind": "proposal", "expires_at": EXPIRES_AT}
