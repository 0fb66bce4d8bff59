"""What time it is at the doors."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the moment, in UTC."""


def now() -> datetime:
    """Return the moment by the clock of this machine."""
    return datetime.now(UTC)
