"""``python -m dispatch`` is the command ``dispatch``."""

from dispatch.cli import main

if __name__ == "__main__":
    main()
