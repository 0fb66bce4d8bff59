"""Whole fits on bootstrap samples, with the patients whom all of them can be compared on."""

from dataclasses import dataclass

import numpy as np

from training.evaluation.intervals import counts
from training.evaluation.scored_cohort import ScoredCohort
from training.evaluation.seen import Seen, nearly_complete

Array = np.ndarray

FEWEST_REFITS = 20
"""With fewer, neither an optimism nor an instability is told."""


@dataclass(frozen=True)
class Bootstrapped:
    """The finished model's log-odds of m patients, and those of B refits.

    ``refits`` and ``drawn`` have shape (B, m); ``drawn`` says how often each sample drew each
    patient.
    """

    seen: Seen
    refits: Array
    drawn: Array


def bootstrapped(scored: ScoredCohort) -> Bootstrapped:
    """Keep the refits that are nearly complete, and the patients whom all of them answer."""
    refits, n = scored.refits, len(scored)
    if not len(refits):
        return Bootstrapped(
            Seen.among(scored.model, scored.outcome), np.empty((0, n)), np.empty((0, n))
        )
    kept = nearly_complete(refits)
    seen = Seen.among(scored.model, scored.outcome, ~np.isnan(refits[kept]).any(axis=0))
    drawn = counts(scored.drawn, n)[:, seen.patients]
    kept &= drawn.any(axis=1)
    return Bootstrapped(seen, refits[np.ix_(kept, seen.patients)], drawn[kept])
