"""The whole pipeline repeated on other patients than its own: what a model is judged by.

Each repetition learns from some patients alone, tuning and recalibration included (Steyerberg EW,
J Clin Epidemiol 2001;54:774-781), and then scores patients:

- repeated stratified cross-validation;
- bootstrap samples, for optimism (Harrell FE, Stat Med 1996;15:361-387) and for instability (Riley
  RD, Collins GS, Biom J 2023;65:2200302);
- internal-external validation: without one site, without one product, and forward in time
  (Steyerberg EW, Harrell FE, J Clin Epidemiol 2016;69:245-247).

A repetition that cannot be fitted has no answer for its patients: NaN, for the judge to count.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from data_schemas.refusal import Refused
from training.cohort import LearningCohort
from training.experiment import ValidationSection
from training.learning.folds import patient_folds, why_no_folds

Array = np.ndarray
Learner = Callable[[LearningCohort, LearningCohort], Array]
"""Learns from the patients of the first cohort alone; returns log-odds of those of the second."""
Told = Callable[[int, int], None]
"""Told how many repetitions are done, and of how many."""

LATER_SHARE = 1 / 3
"""The share of patients, the last by day of infusion, on whom a model of the earlier is tested."""

FITS_A_PROCESS = 25
"""A process takes as long to start as ten fits: fewer than these do not deserve one more."""


@dataclass(frozen=True)
class Fit:
    """One repetition: the patients learnt from, and those scored, by index."""

    seen: Array
    scored: Array


@dataclass(frozen=True)
class Resampled:
    """Log-odds of n patients from repetitions; NaN where one has no answer.

    ``left_out`` is (R, n), ``refits`` and ``drawn`` (B, n), each array of ``without`` (n,).
    """

    left_out: Array
    not_cross_validated: str
    """Why ``left_out`` has no row; empty where it has."""
    without: dict[str, Array]
    refits: Array
    drawn: Array


def resample(
    learner: Learner,
    cohort: LearningCohort,
    validation: ValidationSection,
    seed: int,
    told: Told = lambda _done, _of: None,
    workers: int | None = None,
) -> Resampled:
    """Repeat a learner on a cohort; the same numbers whatever the number of workers.

    Parameters
    ----------
    workers
        Processes; None for as many as there are processors and work for them.
    """
    n = len(cohort)
    repeats = cross_validation_folds(cohort, validation.folds, validation.repeats, seed)
    external = internal_external(cohort)
    drawn = bootstrap_samples(n, validation.bootstrap_refits, seed)
    plan = [fit for repeat in repeats for fit in repeat]
    plan += [fit for fits in external.values() for fit in fits]
    plan += [Fit(sample, np.arange(n)) for sample in drawn]
    answers = _answers(learner, cohort, plan, told, workers)
    return Resampled(
        left_out=np.array([_gathered(repeat, answers, n) for repeat in repeats]).reshape(-1, n),
        not_cross_validated=why_no_folds(cohort.patient, cohort.outcome, validation.folds) or "",
        without={kind: _gathered(fits, answers, n) for kind, fits in external.items()},
        refits=np.array([next(answers) for _ in drawn]).reshape(-1, n),
        drawn=drawn,
    )


def _gathered(fits: list[Fit], answers: Iterator[Array], n: int) -> Array:
    log_odds = np.full(n, np.nan)
    for fit in fits:
        log_odds[fit.scored] = next(answers)
    return log_odds


def cross_validation_folds(
    cohort: LearningCohort, k: int, repeats: int, seed: int
) -> list[list[Fit]]:
    """Return each repeat's folds, stratified by outcome; none where a class has fewer than ``k``.

    All rows of a patient lie in the same fold. Why there is none says :func:`why_no_folds`.
    """
    repeated = (patient_folds(cohort.patient, cohort.outcome, k, seed + r) for r in range(repeats))
    return [[Fit(*rows) for rows in folds] for folds in repeated if folds]


def internal_external(cohort: LearningCohort) -> dict[str, list[Fit]]:
    """Return the fits that leave out one "site", one "product", and those who came "later".

    A kind is absent where the cohort has one site, one product, or one day only.
    """
    kinds = {
        "site": _without_each(cohort.site),
        "product": _without_each(cohort.columns["product"]),
        "later": _forward(cohort.infused),
    }
    return {kind: fits for kind, fits in kinds.items() if fits}


def _without_each(group: Array) -> list[Fit]:
    names = sorted(set(group.tolist()))
    if len(names) < 2:
        return []
    return [Fit(np.flatnonzero(group != name), np.flatnonzero(group == name)) for name in names]


def _forward(day: Array) -> list[Fit]:
    """Return one fit, from the earlier patients to the last third; no day is on both sides.

    One cut, not one a year: the fit then has two thirds of the patients, which is near to what the
    finished model has, while fits of the first years would be judged for their size.
    """
    first_later_day = np.sort(day)[int((1 - LATER_SHARE) * len(day))]
    later = day >= first_later_day
    return [] if later.all() else [Fit(np.flatnonzero(~later), np.flatnonzero(later))]


def bootstrap_samples(n: int, refits: int, seed: int) -> Array:
    """Return which of n patients each sample drew, with replacement; shape (refits, n)."""
    return np.random.default_rng(seed).integers(0, n, (refits, n))


def _answers(
    learner: Learner, cohort: LearningCohort, plan: list[Fit], told: Told, workers: int | None
) -> Iterator[Array]:
    """Yield each fit's log-odds of the patients it scores, in the order of the plan."""
    if workers is None:
        workers = max(1, min(os.cpu_count() or 1, len(plan) // FITS_A_PROCESS))
    parallel = Parallel(n_jobs=workers, return_as="generator")
    results = parallel(delayed(_answer)(learner, cohort, fit) for fit in plan)
    for done, log_odds in enumerate(results, start=1):
        told(done, len(plan))
        yield log_odds


def _answer(learner: Learner, cohort: LearningCohort, fit: Fit) -> Array:
    """Return log-odds of the patients to score; NaN where the others cannot be learnt from."""
    seen, nothing = cohort.take(fit.seen), np.full(len(fit.scored), np.nan)
    if seen.events in (0, len(seen)):
        return nothing
    # Linear algebra on several threads would sum in another order, and slow other workers down.
    with threadpool_limits(limits=1):
        try:
            return learner(seen, cohort.take(fit.scored))
        except (Refused, np.linalg.LinAlgError):
            return nothing
