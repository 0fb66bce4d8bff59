"""Machines that stand still: a virtual one may be stopped for seconds, and everything on it.

What is measured meanwhile says nothing of a service, so it is measured again.
"""

import threading
from collections.abc import Callable
from time import monotonic, sleep
from types import TracebackType
from typing import TypeVar

T = TypeVar("T")
STILL_SECONDS = 1.0
"""A thread that sleeps for 10 ms and wakes so late did not just wait for its turn."""

MOST_REPEATS = 5
_EVERY_SECONDS = 0.01


class Standstill:
    """Watches while a block runs; ``longest`` is the longest sleep in seconds."""

    def __init__(
        self, clock: Callable[[], float] = monotonic, pause: Callable[[float], None] = sleep
    ) -> None:
        """Watch by a clock."""
        self._clock, self._pause = clock, pause
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.longest = 0.0

    def __enter__(self) -> "Standstill":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.is_set():
            before = self._clock()
            self._pause(_EVERY_SECONDS)
            self.longest = max(self.longest, self._clock() - before)


def undisturbed(
    measure: Callable[[], T], watching: Callable[[], Standstill] = Standstill
) -> tuple[T, int]:
    """Measure until the machine did not stand still; return also how often that was in vain.

    Raises
    ------
    Exception
        Whatever ``measure`` raises while the machine runs, or each of several times.
    """
    for repeats in range(MOST_REPEATS):
        watch = watching()
        try:
            with watch:
                found = measure()
        except Exception:
            if watch.longest < STILL_SECONDS:
                raise
        else:
            if watch.longest < STILL_SECONDS:
                return found, repeats
    return measure(), MOST_REPEATS
