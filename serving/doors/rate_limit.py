"""A bucket of tokens for each key: a caller who runs wild does not starve the others."""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from math import ceil
from time import monotonic

from serving.doors.problem import RequestRefused


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class RateLimit:
    """At most ``per_second`` requests of one caller, and twice as many, or one, in one burst.

    Each worker counts by itself.
    """

    def __init__(self, per_second: float, clock: Callable[[], float] = monotonic) -> None:
        """Start with full buckets."""
        self._per_second = per_second
        # A bucket that never holds a whole token would let nobody pass, ever.
        self._burst = max(1.0, 2 * per_second)
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def pass_one(self, caller: str) -> None:
        """Take one token.

        Raises
        ------
        RequestRefused
            429, saying after how many seconds a token will be there.
        """
        now = self._clock()
        bucket = self._buckets.get(caller)
        if bucket is None:
            bucket = self._buckets[caller] = _Bucket(self._burst, now)
        gained = (now - bucket.filled_at) * self._per_second
        bucket.tokens = min(self._burst, bucket.tokens + gained)
        bucket.filled_at = now
        if bucket.tokens < 1:
            raise asked_too_often(self._per_second, ceil((1 - bucket.tokens) / self._per_second))
        bucket.tokens -= 1


def asked_too_often(per_second: float, retry_after: int) -> RequestRefused:
    """Return the refusal of a caller who asks more often than is allowed."""
    detail = f"more than {per_second:g} requests a second with this key"
    headers = {"retry-after": str(retry_after)}
    return RequestRefused(HTTPStatus.TOO_MANY_REQUESTS, detail, headers=headers)
