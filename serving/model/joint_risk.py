"""Severe CRS and severe ICANS together: the risk of either and of both.

Given the two risks, one odds ratio says how they go together (Plackett RL, J Am Stat Assoc
1965;60:516-522). The two risks themselves are left as they are, so the four answers always agree::

    max(p1, p2) <= either <= p1 + p2        both = p1 + p2 - either
"""

from dataclasses import dataclass
from math import exp, sqrt

INDEPENDENT = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Association:
    """How an outcome goes with another, given the predictors.

    ``log_odds_ratio`` is 0 for independence. ``patients`` is how many with both outcomes known
    corrected it; 0: it rests on ``sources`` alone.
    """

    other: str
    log_odds_ratio: float
    sd: float
    patients: int
    sources: tuple[str, ...]


def both(first: float, second: float, log_odds_ratio: float) -> float:
    """Return the probability of both events from their own and the log odds ratio."""
    ratio = exp(log_odds_ratio)
    if abs(ratio - 1) < INDEPENDENT:
        return first * second
    s = 1 + (first + second) * (ratio - 1)
    # The smaller root, written so that nothing cancels when the risks are small.
    root = sqrt(s * s - 4 * ratio * (ratio - 1) * first * second)
    return 2 * ratio * first * second / (s + root)


def either(first: float, second: float, log_odds_ratio: float) -> float:
    """Return the probability of at least one of the events."""
    return first + second - both(first, second, log_odds_ratio)
