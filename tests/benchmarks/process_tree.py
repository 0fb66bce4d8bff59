"""What the processes of a service hold and use, as Linux counts it."""

from dataclasses import dataclass

import psutil

_TRACKER = "multiprocessing.resource_tracker"


@dataclass(frozen=True)
class Tree:
    """The processes that answer, and those that only watch over them."""

    workers: list[psutil.Process]
    supervisors: list[psutil.Process]

    @property
    def processor_seconds(self) -> float:
        """Processor time of all of them since they began."""
        times = [process.cpu_times() for process in (*self.workers, *self.supervisors)]
        return sum(time.user + time.system for time in times)


def tree(pid: int) -> Tree:
    """Return the processes of a service by the one that was started.

    Workers have no child; a process that answers alone is a worker.
    """
    root = psutil.Process(pid)
    everyone = [root, *root.children(recursive=True)]
    parents = {process.ppid() for process in everyone if not _is_tracker(process)}
    workers = [p for p in everyone if p.pid not in parents and not _is_tracker(p)]
    return Tree(workers, [process for process in everyone if process not in workers])


def megabytes(process: psutil.Process) -> float:
    """Return the proportional set size (PSS): pages that several share are divided among them."""
    return process.memory_full_info().pss / 1e6


def _is_tracker(process: psutil.Process) -> bool:
    return any(_TRACKER in word for word in process.cmdline())
