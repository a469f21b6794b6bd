"""Whether a tree is an engine at all: every module is imported, and a server takes its functions. `python -m mutants.loads`, in the tree.

What fails here was never judged by a test: a mistake of spelling is no fault that a test can claim to have found.
"""

import asyncio
import pkgutil
import sys
import tempfile
from importlib import import_module
from pathlib import Path

import dispatch
from dispatch.settings import read
from dispatch.store import Store
from dispatch.store.embedded import Embedded

NOT_A_MODULE = "dispatch.__main__"  # it runs when it is imported


async def take_functions(url: str) -> None:
    """Loads the server functions. Raises ConfigError when they cannot be read."""
    store = await Store.connect(read(redis_url=url, profile="dev", dev=True))
    await store.close()


def main() -> int:
    """The exit status: 0 when it loads."""
    home = Path(dispatch.__file__).resolve()
    if not home.is_relative_to(Path.cwd().resolve()):
        print(f"another tree was imported: {home}", file=sys.stderr)
        return 1
    for module in pkgutil.walk_packages(dispatch.__path__, "dispatch."):
        if module.name != NOT_A_MODULE:
            import_module(module.name)
    with tempfile.TemporaryDirectory(prefix="d-") as folder, Embedded(Path(folder), "dev") as server:
        asyncio.run(take_functions(server.url))
    return 0


if __name__ == "__main__":
    sys.exit(main())
