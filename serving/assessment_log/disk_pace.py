"""Whether the disk is so prompt that the event loop may wait for it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

_MOST_APART_SECONDS = 30.0
"""A machine that stood still for minutes has no slow disk; a slow one prolongs the time itself."""


class DiskPace:
    """What was seen of the disk."""

    def __init__(self, prompt_seconds: float, times_as_long: float) -> None:
        """Take the disk for prompt.

        Parameters
        ----------
        prompt_seconds
            A disk that takes longer is left alone by the event loop.
        times_as_long
            For how long, in terms of the time it took: the loop loses no more than one part of it.
        """
        self._prompt_seconds = prompt_seconds
        self._times_as_long = times_as_long
        self._slow_until = 0.0

    @property
    def is_prompt(self) -> bool:
        """Tell whether the event loop may wait for the disk."""
        return time.monotonic() >= self._slow_until

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Remember how long the disk takes for what is done within."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self.took(time.monotonic() - begun)

    def took(self, seconds: float) -> None:
        """Remember how long the disk took; what is left to the thread is never so for shorter."""
        if seconds > self._prompt_seconds:
            slow = min(self._times_as_long * seconds, _MOST_APART_SECONDS)
            self._slow_until = max(self._slow_until, time.monotonic() + slow)
