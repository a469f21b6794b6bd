"""`python -m bench NAME ...`: runs one of the benches; without a name, says which there are."""

import sys
from importlib import import_module
from pathlib import Path


def names() -> dict[str, str]:
    """The benches of this folder, each with the first line of its docstring."""
    found = sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py") if "\ndef main(argv" in path.read_text(encoding="utf-8"))
    return {name.replace("_", "-"): (import_module(f"bench.{name}").__doc__ or "").partition("\n")[0] for name in found}


def main(argv: list[str]) -> int:
    """The exit status: 0 when what was measured keeps its promise."""
    if argv and argv[0] in (known := names()):
        return int(import_module(f"bench.{argv[0].replace('-', '_')}").main(argv[1:]))
    if argv and argv[0] not in ("-h", "--help"):
        print(f"no bench {argv[0]}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    print("python -m bench NAME [--help]\n")
    for name, about in names().items():
        print(f"  {name:12} {about}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
