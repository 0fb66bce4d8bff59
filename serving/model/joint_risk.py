"""Severe CRS and severe ICANS together: the risk of either and of both.

Given the two risks, one odds ratio says how they go together (Plackett RL, J Am Stat Assoc
1965;60:516-522). The two risks themselves are left as they are, so the four answers always agree::

    max(p1, p2) <= either <= p1 + p2        both = p1 + p2 - either
"""

from dataclasses import dataclass
from math import exp, expm1, sqrt


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
    ratio, more = exp(log_odds_ratio), expm1(log_odds_ratio)
    product = first * second
    s = (1 - first) - second + (first + second) * ratio
    # The smaller root of more x**2 - s x + ratio product, written so that nothing cancels, however
    # small the risks and however large the ratio: each sum is of terms of one sign.
    if more >= 0:
        one_alone = first * (1 - second) + second * (1 - first)
        root = sqrt(1 + 2 * more * one_alone + (more * (first - second)) ** 2)
    else:
        root = sqrt(s * s - 4 * ratio * more * product)
    if s < 0:  # so that more is below 0, too
        return (s - root) / (2 * more)
    return 2 * ratio * product / (s + root)


def either(first: float, second: float, log_odds_ratio: float) -> float:
    """Return the probability of at least one of the events."""
    return first + second - both(first, second, log_odds_ratio)
