"""The result of a campaign in words."""

from campaign.state import FAULTS, State


def markdown(state: State) -> str:
    """A page: what was done, and what was found, 0 of each when all is well."""
    rate = state.claims / state.seconds if state.seconds else 0.0
    rows = [
        ("claims", f"{state.claims:,}"),
        ("bookings", f"{state.bookings:,} in {state.rounds:,} markets"),
        ("of these nobody was to claim", f"{state.quiet:,}"),
        ("nobody could claim", by_cause(state.unraced)),
        ("not all could claim", by_cause(state.partly)),
        ("claimed after their search", f"{state.late:,}"),
        ("devices taken off by a worker, and back", f"{state.off:,} times"),
        ("kill -9", ", ".join(f"{number:,} of a {kind}" for kind, number in state.crashes.items())),
        ("claims repeated after a crash", f"{state.repeated:,}"),
        ("answers", ", ".join(f"{number:,} {word}" for word, number in sorted(state.outcomes.items()))),
        ("ends", ", ".join(f"{number:,} {word}" for word, number in sorted(state.ends.items()))),
        ("markets looked through key by key", f"{state.sound:,}, and {state.looked_again:,} times again"),
        ("time", f"{state.seconds:,.0f} s in {state.starts} starts, {rate:,.0f} claims a second"),
        ("most memory", f"store {state.store_mb:.0f} MB, campaign {state.self_mb:.0f} MB"),
        ("seed", str(state.seed)),
        ("digest of the engine", state.code),
    ]
    lines = ["# Campaign", "", "| what | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows), ""]
    lines += ["| found | number |", "|---|---|", *(f"| {fault} | {state.found[fault]} |" for fault in FAULTS), ""]
    return "\n".join([*lines, *(f"* {example}" for example in state.examples)]).rstrip() + "\n"


def by_cause(counts: dict[str, int]) -> str:
    """A number of bookings, and why."""
    why = ", ".join(f"{number:,} {cause}" for cause, number in sorted(counts.items()))
    return f"{sum(counts.values()):,}" + (f" ({why})" if why else "")
