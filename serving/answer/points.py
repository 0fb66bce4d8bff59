"""Log-odds as percentage points: shares of one difference that still add up after rounding."""

from collections.abc import Sequence

_TOO_CLOSE = 1e-6
"""Below this difference in log-odds the slope of the logistic curve itself is used."""


def points_per_log_odds(base: float, risk_at_base: float, total: float, risk: float) -> float:
    """Return how many percentage points one log-odds is worth between two points of the curve.

    The secant through both: contributions times it add up to the difference in percent.
    """
    if abs(total - base) < _TOO_CLOSE:
        return 100 * risk_at_base * (1 - risk_at_base)
    return 100 * (risk - risk_at_base) / (total - base)


def whole_points(exact: Sequence[float], total: int) -> list[int]:
    """Round points so that they add up to a total, by the largest remainder.

    Parameters
    ----------
    exact
        Points that add up to within 1 of ``total``. What is exactly 0 stays 0.
    """
    whole = list(map(round, exact))
    short = total - sum(whole)
    if short:
        up = 1 if short > 0 else -1
        # Who was rounded farthest the other way is next; so it is with the largest remainder.
        order = [(up * (whole[i] - points), i) for i, points in enumerate(exact) if points]
        for _, i in sorted(order)[: abs(short)]:
            whole[i] += up
    return whole
