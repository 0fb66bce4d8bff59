"""One site of several that sent a quantity in another unit than the column's name says.

Sites measure the same patients' blood in different laboratories, and a table that was put together
from them has one column. What lies far from the published patients may be a centre of its own kind;
what lies far from the other sites of the same cohort by a factor between units rarely is.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from data_schemas.likely_unit import (
    FEWEST_VALUES,
    Sent,
    factors,
    has_typical_value,
    times_in_words,
    typical_medians,
)

LEAST_SPREADS = 1.5
"""A factor between units is looked for if it is so many spreads of a patient, on the log scale.

A median is taken for that of another unit from half of it on. Medians of our simulated sites differ
by 0.15 spreads (sd; assumed): three quarters are five times as much."""

LEAST_STANDARD_ERRORS = 4.0
"""A site is looked at if its median is so far from that of the others: chance alone leads so far
once in 16,000 columns (normal distribution, two-sided)."""

_SPREAD_PER_DEVIATION = 1.4826
_MEDIAN_PER_MEAN = math.sqrt(math.pi / 2)
"""Standard errors of a median and of a mean, of a normal distribution."""


@dataclass(frozen=True)
class _Sites:
    """Logarithms of the ratio of each value to what is typical of the patient, and the sites."""

    logs: np.ndarray
    names: np.ndarray

    def apart(self, site: str) -> tuple[float, float] | None:
        """Return how far the median of a site is from that of the others, and the patients' spread.

        None where few values are known, where chance may explain it, and where the others are the
        ones who are far from what is typical.
        """
        here, others = self.logs[self.names == site], self.logs[self.names != site]
        if min(len(here), len(others)) < FEWEST_VALUES:
            return None
        own, common = float(np.median(here)), float(np.median(others))
        deviations = np.abs(np.concatenate([here - own, others - common]))
        spread = _SPREAD_PER_DEVIATION * float(np.median(deviations))
        by_chance = _MEDIAN_PER_MEAN * spread * math.sqrt(1 / len(here) + 1 / len(others))
        if abs(own - common) < LEAST_STANDARD_ERRORS * by_chance or abs(own) < abs(common):
            return None
        return own - common, spread


def sites_apart(sent: Sent, patients: pd.DataFrame, site: pd.Series) -> list[str]:
    """Say which sites may have sent a quantity in another unit, and what to do then.

    Parameters
    ----------
    patients
        With the columns ``product`` and ``disease``: what is typical depends on them.
    site
        The name of each patient's site, of shape (n_patients,); empty where it is not known.

    Notes
    -----
    A factor explains a site if it leaves less than half of the distance on the log scale, and every
    value of the site within the hard limits once it is undone. Sites and others with fewer than
    ``FEWEST_VALUES`` positive values are not judged.
    """
    if not has_typical_value(sent):
        return []
    known = (sent.canonical > 0) & site.ne("")
    typical = typical_medians(sent.name, patients[known])
    values = sent.canonical[known].to_numpy(dtype=float)
    sites = _Sites(np.log(values / typical), site[known].to_numpy())
    return [
        _in_words(sent, name, *found)
        for name in sorted(set(sites.names))
        if (found := _explanation(sent, sites.apart(name), values[sites.names == name]))
    ]


def _explanation(
    sent: Sent, apart: tuple[float, float] | None, values: np.ndarray
) -> tuple[float, dict[str, str]] | None:
    """Find the factor that explains how far a site is from the others, if any does."""
    if apart is None:
        return None
    distance, spread = apart
    fitting = [
        (abs(distance - math.log(factor)), factor, columns)
        for factor, columns in _factors(sent, spread)
        if abs(distance - math.log(factor)) < abs(distance) / 2
        and np.all(values / factor >= sent.declared.hard[0])
        and np.all(values / factor <= sent.declared.hard[1])
    ]
    if not fitting:
        return None
    _, factor, columns = min(fitting, key=lambda found: found[0])
    return factor, columns


def _factors(sent: Sent, spread: float) -> Iterator[tuple[float, dict[str, str]]]:
    least = LEAST_SPREADS * spread
    return ((f, columns) for f, columns in factors(sent) if abs(math.log(f)) >= least)


def _in_words(sent: Sent, site: str, factor: float, columns: dict[str, str]) -> str:
    far = f"its median is near {times_in_words(factor)} that of the other sites"
    right = "if its values are right so, leave them as they are"
    if columns:
        (unit,) = columns.values()
        remedy = f"if they are in {unit} there, convert this site's rows to {sent.unit}"
    else:
        remedy = "look up this site's unit and decimal point at the source"
    return f"{sent.column} at site {site!r}: read in {sent.unit}, {far}; {remedy}; {right}"
