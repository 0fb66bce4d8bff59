"""The patients that a set of log-odds can be judged on, and why some measures may not exist."""

from dataclasses import dataclass
from typing import Self

import numpy as np

Array = np.ndarray

_ONE_RISK = 1e-9
"""Log-odds that lie no further apart are one: the rounding of a sum is no difference of risk."""
_MOST_LOST = 0.05


def nearly_complete(repeats: Array) -> Array:
    """Return which rows of log-odds (R, n) lack at most 1 in 20 of the patients any row answers.

    A repeat some of whose fits failed would otherwise cost all repeats its patients. All rows,
    where none is nearly complete.
    """
    answered = ~np.isnan(repeats)
    enough = answered.sum(axis=1) >= (1 - _MOST_LOST) * answered.any(axis=0).sum()
    return enough if enough.any() else np.ones(len(repeats), bool)


def one_risk(log_odds: Array) -> bool:
    """Tell whether all patients have one risk, so that no line goes through it."""
    return bool(np.ptp(log_odds) < _ONE_RISK)


@dataclass(frozen=True)
class Seen:
    """Log-odds of m patients from R repeats, shape (R, m), and what happened to them, (m,).

    ``patients`` (m,) are their places in the cohort; ``without_answer`` were left aside.
    """

    log_odds: Array
    outcome: Array
    patients: Array
    without_answer: int

    @classmethod
    def among(cls, log_odds: Array, outcome: Array, where: Array | None = None) -> Self:
        """Keep the patients with a number in every repeat, among those ``where`` is true.

        Repeats that are not nearly complete are left aside first.
        ``log_odds`` has shape (n,) or (R, n), ``outcome`` and ``where`` (n,).
        """
        repeats = np.atleast_2d(log_odds)
        repeats = repeats[nearly_complete(repeats)]
        asked = np.ones(len(outcome), bool) if where is None else where
        known = asked & ~np.isnan(repeats).any(axis=0)
        patients = np.flatnonzero(known)
        without_answer = int(asked.sum() - known.sum())
        return cls(repeats[:, known], outcome[known].astype(float), patients, without_answer)

    def take(self, chosen: Array) -> Self:
        """Return those of these patients whose place in ``chosen`` (m,) is true."""
        return type(self)(self.log_odds[:, chosen], self.outcome[chosen], self.patients[chosen], 0)

    def __len__(self) -> int:
        """Return the number of patients."""
        return len(self.outcome)

    @property
    def repeats(self) -> int:
        """How often each patient was predicted."""
        return len(self.log_odds)

    @property
    def events(self) -> int:
        """How many patients had the outcome."""
        return int(self.outcome.sum())

    @property
    def without_patients(self) -> str | None:
        """Why nothing can be measured, if so."""
        return None if len(self) else "no patient has a log-odds"

    @property
    def one_class(self) -> str | None:
        """Why nothing that compares patients with and without the outcome exists, if so."""
        if not len(self):
            return self.without_patients
        if self.events == 0:
            return "no patient had the outcome"
        return "every patient had the outcome" if self.events == len(self) else None

    @property
    def no_line(self) -> str | None:
        """Why no regression of the outcome on the log-odds exists, if so."""
        if self.one_class:
            return self.one_class
        if any(one_risk(z) for z in self.log_odds):
            return "all patients have one risk"
        if any(_separated(z, self.outcome) for z in self.log_odds):
            return "the risks of patients with and without the outcome do not overlap"
        return None


def _separated(log_odds: Array, outcome: Array) -> bool:
    with_it, without_it = log_odds[outcome == 1], log_odds[outcome == 0]
    return bool(with_it.min() >= without_it.max() or with_it.max() <= without_it.min())
