"""Everything that is asked of the devices' link, measured one after the other: memory, push, recall, stall, storm, drain, flap.

`python -m bench link` does all of it, `python -m bench link push flap` some. Each is a bench of its own too, with options: `link-push`.
"""

import argparse
from importlib import import_module

PARTS = ("memory", "push", "recall", "stall", "storm", "drain", "flap")


def main(argv: list[str]) -> int:
    """`python -m bench link`: 1 when something that is asked does not hold."""
    parser = argparse.ArgumentParser(prog="python -m bench link", description=__doc__)
    parser.add_argument("part", nargs="*", help=f"of {', '.join(PARTS)}; none: all")
    parser.add_argument("--devices", help="as many everywhere, instead of what is asked of each")
    chosen = parser.parse_args(argv)
    if unknown := set(chosen.part) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    options, kept = ["--devices", chosen.devices] if chosen.devices else [], {}
    for name in chosen.part or PARTS:
        print(f"\n== {name}", flush=True)
        kept[name] = import_module(f"bench.link_{name}").main(options) == 0
    print("\n" + "\n".join(f"{'holds' if fine else 'DOES NOT HOLD'}: {name}" for name, fine in kept.items()))
    return 0 if all(kept.values()) else 1
