"""The parts of a judgement one by one: repeats of cross-validation, groups left out, refits."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from training.evaluation.calibration import observed_over_expected_estimate, slope_estimate
from training.evaluation.discrimination import auroc, auroc_estimate
from training.evaluation.overall_accuracy import brier_estimate, log_loss_estimate
from training.evaluation.record import AcrossGroups, Evaluation
from training.evaluation.scored_cohort import ScoredCohort
from training.evaluation.seen import Seen

_MEASURES = {
    "auroc": auroc_estimate,
    "calibration_slope": slope_estimate,
    "observed_over_expected": observed_over_expected_estimate,
    "log_loss": log_loss_estimate,
    "brier": brier_estimate,
}


@dataclass(frozen=True, slots=True)
class Number:
    """One number; ``step`` tells the refits of one repetition apart."""

    name: str
    value: float
    step: int = 0


@dataclass(frozen=True)
class Repetition:
    """One part of a judgement, shown as a run within the run."""

    name: str
    kind: str
    numbers: tuple[Number, ...]


def with_ends(
    name: str, value: float | None, low: float | None, high: float | None
) -> Iterator[Number]:
    """Yield a number and the ends of its interval, those that there are."""
    for end, number in (("", value), ("_low", low), ("_high", high)):
        if number is not None:
            yield Number(f"{name}{end}", number)


def repetitions(scored: ScoredCohort, evaluation: Evaluation) -> Iterator[Repetition]:
    """Yield the parts in the order in which they were made."""
    for i, log_odds in enumerate(scored.left_out, start=1):
        seen = Seen.among(log_odds, scored.outcome)
        name = f"cross-validation, repeat {i}"
        yield Repetition(name, "cross-validation", tuple(_measured(seen)))
    for across in evaluation.across:
        yield from _groups(across)
    if len(scored.refits):
        count = len(scored.refits)
        yield Repetition(f"{count} bootstrap refits", "bootstrap", tuple(_refits(scored)))


def _measured(seen: Seen) -> Iterator[Number]:
    yield Number("patients", len(seen))
    yield Number("events", seen.events)
    for name, measure in _MEASURES.items():
        estimate = measure(seen)
        yield from with_ends(name, estimate.value, estimate.low, estimate.high)


def _groups(across: AcrossGroups) -> Iterator[Repetition]:
    """Yield each group that is not too small to be shown."""
    kind = f"{across.by} left out" if across.left_out else f"each {across.by}"
    for cell in across.cells:
        if cell.suppressed or cell.events is None:
            continue
        numbers = [Number("patients", cell.patients), Number("events", cell.events)]
        for name in ("auroc", "calibration_slope", "observed_over_expected"):
            estimate = getattr(cell, name)
            numbers += with_ends(name, estimate.value, estimate.low, estimate.high)
        yield Repetition(f"{kind}: {cell.group}", kind, tuple(numbers))


def _refits(scored: ScoredCohort) -> Iterator[Number]:
    """Yield, refit by refit, its AUROC on all patients and how far it moves their risks."""
    for step, log_odds in enumerate(scored.refits, start=1):
        known = ~np.isnan(log_odds) & ~np.isnan(scored.model)
        if not known.any():
            continue
        z, outcome = log_odds[known], scored.outcome[known]
        area = float(auroc(z, outcome, np.ones((1, len(z))))[0])
        change = float(np.abs(expit(z) - expit(scored.model[known])).mean())
        if np.isfinite(area):
            yield Number("auroc", area, step)
        yield Number("mean_absolute_change", change, step)
