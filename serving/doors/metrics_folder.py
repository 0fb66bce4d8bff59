"""Where the workers of one service count together, apart from those of any other.

BentoML lets all services of a user count in one folder, and empties it whenever one is started,
even one that then finds its port taken: the metrics of the others are gone for good. So each
supervisor hands its workers a folder of its own.
``tests/serving/doors/test_metrics_folder.py`` notices a BentoML that does so by itself.
"""

import atexit
import os
from shutil import rmtree
from tempfile import mkdtemp

from bentoml._internal.configuration.containers import BentoMLContainer

OF_WORKERS = "PROMETHEUS_MULTIPROC_DIR"
"""Set by a supervisor for its workers, or by an operator who wants the folder elsewhere."""

# mkdtemp makes a folder of its own there, for its owner only.
_IN_MEMORY = "/dev/shm"  # noqa: S108  # nosec B108


def _place() -> str | None:
    """Return a place in memory, where there is one; else that of temporary files.

    Metrics are files mapped into memory: on a disk that is full, whoever counts is killed.
    """
    return _IN_MEMORY if os.access(_IN_MEMORY, os.W_OK | os.X_OK) else None


def count_apart() -> None:
    """Let the workers that are started from now on count in a folder that ends with this process.

    Where one is named already it is that, which whoever named it keeps and BentoML empties.
    """
    folder = os.environ.get(OF_WORKERS)
    if folder is None:
        folder = mkdtemp(prefix="cart-risk-metrics-", dir=_place())
        atexit.register(rmtree, folder, ignore_errors=True)
    BentoMLContainer.prometheus_multiproc_dir.set(folder)
