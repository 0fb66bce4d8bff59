"""The disk that every answer waits for."""

import os
from pathlib import Path
from time import perf_counter

import numpy as np
import psutil

BLOCK = 8 * 1024
APPENDS = 200
_IN_MEMORY = ("tmpfs", "ramfs", "devtmpfs")


class NoDisk(Exception):
    """A directory in memory, where nothing is durable and a flush costs nothing."""


def expect_disk(folder: Path) -> str:
    """Return the kind of file system that a folder lies on.

    Raises
    ------
    NoDisk
        If it lies in memory.
    """
    mounts = {Path(m.mountpoint): m.fstype for m in psutil.disk_partitions(all=True)}
    place = next(p for p in (folder.resolve(), *folder.resolve().parents) if p in mounts)
    if mounts[place] in _IN_MEMORY:
        raise NoDisk(f"{folder} lies in memory ({mounts[place]}): let TMPDIR name a disk")
    return mounts[place]


def append_milliseconds(folder: Path) -> float:
    """Return the median time of an 8 KB append that is on disk (fdatasync) when it returns."""
    path = folder / "appended"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    times = []
    try:
        for _ in range(APPENDS):
            started = perf_counter()
            os.write(descriptor, os.urandom(BLOCK))
            os.fdatasync(descriptor)
            times.append(1000 * (perf_counter() - started))
    finally:
        os.close(descriptor)
        path.unlink()
    return float(np.median(times))
