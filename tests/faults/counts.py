"""Which kinds of faults there are, and how often each really happened."""

from collections import Counter
from collections.abc import Iterable

from rich.table import Table

WAYS = {
    "devices": "between devices and gateways",
    "api": "between the booking service and the api",
    "store": "between the engine and its store",
}
HARMS = ("request cut", "reply cut", "request delayed", "reply delayed", "request dropped", "reply dropped")
ROLES = ("api", "gateway", "worker")

NETWORK = tuple(f"{way}: {harm}" for way in WAYS for harm in HARMS)
PARTS = tuple(f"{what} {role}" for what in ("kill", "pause", "restart") for role in ROLES)
STORE = (
    "kill store", "pause store", "restart store",
    "store READONLY", "store OOM", "store LOADING", "store BUSY", "store without functions", "store with a full disk",
)  # fmt: skip
FRAMES = ("frame repeated", "frame overtaken", "frame late")
KINDS = (*NETWORK, *PARTS, *STORE, *FRAMES)


class Fired:
    """How often each kind of fault happened: counted where it does its harm, not where it was ordered."""

    def __init__(self, counted: Iterable[tuple[str, int]] = ()) -> None:
        self.by_kind: Counter[str] = Counter(dict(counted))

    def note(self, kind: str) -> None:
        """It happened once more. KeyError for a kind that is not in the list."""
        if kind not in KINDS:
            raise KeyError(kind)
        self.by_kind[kind] += 1

    def never(self, least: int = 1) -> list[str]:
        """Kinds that happened less often than that."""
        return [kind for kind in KINDS if self.by_kind[kind] < least]

    def table(self, title: str) -> Table:
        """All kinds with their numbers, two columns of them."""
        table = Table("fault", "times", "fault", "times", title=title)
        rows = [(kind, str(self.by_kind[kind])) for kind in KINDS]
        half = (len(rows) + 1) // 2
        for number in range(half):
            table.add_row(*rows[number], *(rows[half + number] if half + number < len(rows) else ("", "")))
        return table
