"""A file that appears whole or not at all, and is on disk once it has its name."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

FOR_ITS_OWNER = 0o600
_AS_USUAL = 0o666
"""Of which the process' umask takes away what it does."""


@contextmanager
def whole_file(path: Path, mode: int = _AS_USUAL) -> Iterator[BinaryIO]:
    """Write a draft beside ``path``, which takes its place at the end of the ``with`` statement.

    An error within leaves what was there before, and no draft. The draft has the suffix of ``path``
    and is the ``name`` of what is yielded, so that it can be read again by its kind.

    Parameters
    ----------
    mode
        Who may read and write the file, whatever those might who read and wrote a former one.
    """
    draft = path.with_name(f".{path.stem}.{os.getpid()}.draft{path.suffix}")
    # In a container a killed run and this one may have the same process id.
    draft.unlink(missing_ok=True)
    try:
        with open(draft, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as sink:
            yield sink
            sink.flush()
            os.fsync(sink.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    flush_names(path.parent)


def replace_content(path: Path, content: bytes) -> None:
    """Give a secret file new content; who may read it stays, and of a new one that is its owner.

    Raises
    ------
    PermissionError
        If the file belongs to somebody else whom it cannot be left to; nothing has changed then.
    """
    with whole_file(path, FOR_ITS_OWNER) as sink:
        if path.exists():
            former = path.stat()
            if (former.st_uid, former.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(sink.fileno(), former.st_uid, former.st_gid)
            os.fchmod(sink.fileno(), former.st_mode & 0o777)
        sink.write(content)


def flush_names(folder: Path) -> None:
    """Return when the names in a folder are on disk: a file may be there, and its name not."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
