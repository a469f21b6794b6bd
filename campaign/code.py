"""Which engine a campaign is about: the digest of its text."""

import hashlib
from pathlib import Path

import dispatch

DIGITS = 16


def digest(folder: Path | None = None) -> str:
    """Of every file of the engine that is imported here: where it is, and what it says."""
    folder = folder or Path(dispatch.__file__).parent
    sum_ = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            text = path.read_bytes()
            sum_.update(f"{path.relative_to(folder)}\n{len(text)}\n".encode())
            sum_.update(text)
    return sum_.hexdigest()[:DIGITS]
