"""What the store of models looks like from outside: cheap enough to look at every second."""

import json
from pathlib import Path

from serving.model.store import CURRENT_FILE

State = frozenset[tuple[str, int, int, int]]


def pointers(store: Path) -> State:
    """Return the state of every pointer."""
    return frozenset(_seen(path) for path in store.glob(f"*/{CURRENT_FILE}"))


def pointed_at(store: Path) -> State:
    """Return the state of every file that a pointer leads to; of what cannot be read, nothing."""
    return frozenset(
        _seen(path) for pointer in store.glob(f"*/{CURRENT_FILE}") for path in _files(pointer)
    )


def _files(pointer: Path) -> list[Path]:
    try:
        folder = pointer.parent / str(json.loads(pointer.read_bytes())["version"])
        return [folder, *folder.iterdir()]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []


def _seen(path: Path) -> tuple[str, int, int, int]:
    try:
        found = path.stat()
    except (OSError, ValueError):  # a name that no file can have is a ValueError
        return str(path), 0, 0, 0
    # Not the time of the content: whoever copies a file may keep it.
    return str(path), found.st_ctime_ns, found.st_ino, found.st_size
