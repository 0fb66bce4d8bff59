"""Patients, what was predicted of each under every resampling, and what happened: all one judges.

A report's numbers are functions of this table and of nothing else, so whoever has the table can
compute each of them again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

Array = np.ndarray


@dataclass(frozen=True)
class ScoredCohort:
    """Log-odds of one outcome for n patients, from models that did and did not see them.

    A log-odds is NaN where a model has no answer. ``outcome``, ``model``, ``low`` and ``high`` have
    shape (n,); ``model`` is the finished model with its 90 % interval, which has seen the patients
    if ``fitted_here``.
    """

    on: str
    """Who the patients are, in words: real, or simulated and never clinical performance."""
    fitted_here: bool
    outcome: Array
    model: Array
    low: Array
    high: Array
    left_out: Array = field(default_factory=lambda: np.empty((0, 0)))
    """From the fits of each repeat of cross-validation that had not seen the patient, (R, n)."""
    not_cross_validated: str = ""
    """Why there is no such repeat, where somebody tried; else empty."""
    without: Mapping[str, Array] = field(default_factory=dict)
    """Left out with all patients of the same "site" or "product", or infused "later", (n,) each."""
    refits: Array = field(default_factory=lambda: np.empty((0, 0)))
    """From whole fits on bootstrap samples, (B, n)."""
    drawn: Array = field(default_factory=lambda: np.empty((0, 0), dtype=int))
    """Which patients each bootstrap sample drew, (B, n)."""
    comparators: Mapping[str, Array] = field(default_factory=dict)
    """Log-odds of other predictions of the same patients when left out, (n,) each."""
    groups: Mapping[str, Array] = field(default_factory=dict)
    """Words that sort the patients: "site", "product", "disease", "age", "sex", "year"; (n,)."""
    known_by: Array = field(default_factory=lambda: np.empty(0, dtype=np.uint64))
    """A hash by which each patient is recognised in another table, (n,); empty for the invented."""

    def __len__(self) -> int:
        """Return the number of patients."""
        return len(self.outcome)
