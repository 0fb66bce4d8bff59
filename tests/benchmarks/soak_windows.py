"""The windows of a long run: its beginning beside its end, and what grows."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import theilslopes

EDGE = 6
"""The first and the last sixth of a run are compared: five minutes of thirty."""

_SECONDS = 3600.0


@dataclass(frozen=True)
class Slope:
    """Growth an hour, with its 95 % interval."""

    an_hour: float
    low: float
    high: float


def slope(seconds: pd.Series, values: pd.Series) -> Slope:
    """Return growth an hour by Theil and Sen: the median slope of all pairs of windows.

    Up to 29 % of the windows may be far off and change little.
    """
    found = theilslopes(values, seconds / _SECONDS, alpha=0.95)
    return Slope(float(found[0]), float(found[2]), float(found[3]))


def edge(windows: pd.DataFrame) -> int:
    """Return how many windows make the first, or the last, sixth."""
    return max(1, len(windows) // EDGE)


def settled(windows: pd.DataFrame) -> pd.DataFrame:
    """Return the windows after the first sixth, in which caches fill."""
    return windows.iloc[edge(windows) :]


def percentile(latencies: list[np.ndarray], percent: float) -> float:
    """Return a percentile over the answers of several windows, in milliseconds."""
    return float(np.percentile(np.concatenate(latencies), percent))
