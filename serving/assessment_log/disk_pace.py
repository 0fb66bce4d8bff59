"""Whether the disk is so prompt that the event loop may wait for it."""

import time

_PROMPT_SECONDS = 0.05
"""A disk that takes longer is left to the log's thread for ``_TIMES_AS_LONG`` times that."""

_TIMES_AS_LONG = 10
"""So a slow disk holds up the event loop for less than a tenth of the time.

No more than that, because a worker answers less while the thread writes: beside a busy event loop
it waits for the interpreter several times in each transaction.
"""
_MOST_APART_SECONDS = 30.0
"""A machine that stood still for minutes has no slow disk; a slow one prolongs the time itself."""


class DiskPace:
    """What was seen of the disk; only for whoever uses the log's writer just then."""

    def __init__(self) -> None:
        """Take the disk for prompt."""
        self._slow_until = 0.0

    @property
    def is_prompt(self) -> bool:
        """Tell whether the event loop may wait for the disk."""
        return time.monotonic() >= self._slow_until

    def took(self, seconds: float) -> None:
        """Remember how long the disk took; what is left to the thread is never so for shorter."""
        if seconds > _PROMPT_SECONDS:
            slow = min(_TIMES_AS_LONG * seconds, _MOST_APART_SECONDS)
            self._slow_until = max(self._slow_until, time.monotonic() + slow)
