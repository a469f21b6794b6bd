"""`python -m bench NAME [options]`; without a name, what there is."""

import sys
from importlib import import_module
from pathlib import Path

HELPERS = {"__init__", "__main__", "serving"}


def names() -> dict[str, str]:
    """Every measurement and the first line of what it says of itself."""
    found = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in HELPERS)
    return {name: (import_module(f"bench.{name}").__doc__ or "").splitlines()[0] for name in found}


def main(argv: list[str]) -> int:
    """Runs one, or lists them. Exit code 2: there is none of that name."""
    if argv and argv[0] in names():
        return int(import_module(f"bench.{argv[0]}").main(argv[1:]))
    for name, what in names().items():
        print(f"  {name:<10} {what}")
    return 2 if argv and not argv[0].startswith("-") else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
