"""What a worker's log did since it was opened."""

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """How much was written; all only grow."""

    rows: int = 0
    transactions: int = 0
    opened: int = 0
    """How often a chain was begun: once, and again after each failure."""
