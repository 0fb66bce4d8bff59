"""Everything that is measured of one set of risks."""

import numpy as np
from scipy.special import expit

from training.evaluation.asked import Asked
from training.evaluation.calibration import (
    intercept_estimate,
    observed_over_expected_estimate,
    slope_estimate,
)
from training.evaluation.calibration_curve import Smooth, calibration_curve, smooth
from training.evaluation.calibration_distance import calibration_distances
from training.evaluation.decision_curve import at_threshold, decision_curve
from training.evaluation.discrimination import auprc_estimate, auroc_estimate
from training.evaluation.intervals import draws_of_patients
from training.evaluation.overall_accuracy import (
    brier_estimate,
    log_loss_estimate,
    scaled_brier_estimate,
)
from training.evaluation.seen import Seen
from training.evaluation.view_record import Measures, RiskDistribution, View

Array = np.ndarray

_BINS = 50


def view(seen: Seen, asked: Asked) -> View:
    """Measure one set of risks."""
    draws = draws_of_patients(len(seen), asked.draws, asked.seed)
    curves = [None if seen.no_line else smooth(z, seen.outcome) for z in seen.log_odds]
    return View(
        repeats=seen.repeats,
        measures=_measures(seen, curves, draws, asked.seed),
        calibration_curve=calibration_curve(seen, curves),
        risk_distribution=risk_distribution(seen),
        decision_curve=decision_curve(seen, asked.net_benefit_range, draws),
        at_thresholds=tuple(at_threshold(seen, t) for t in asked.thresholds),
    )


def _measures(seen: Seen, curves: list[Smooth | None], draws: Array, seed: int) -> Measures:
    distances = calibration_distances(seen, curves, draws, seed)
    return Measures(
        patients=len(seen),
        events=seen.events,
        without_answer=seen.without_answer,
        prevalence=seen.events / len(seen) if len(seen) else None,
        auroc=auroc_estimate(seen),
        auprc=auprc_estimate(seen, draws),
        brier=brier_estimate(seen),
        scaled_brier=scaled_brier_estimate(seen, draws),
        log_loss=log_loss_estimate(seen),
        observed_over_expected=observed_over_expected_estimate(seen),
        calibration_intercept=intercept_estimate(seen),
        calibration_slope=slope_estimate(seen),
        ici=distances.ici,
        e50=distances.e50,
        e90=distances.e90,
        ici_by_chance=distances.by_chance,
    )


def risk_distribution(seen: Seen) -> RiskDistribution:
    """Count the patients with and without the outcome in bins of risk of 0.02."""
    edges = np.linspace(0.0, 1.0, _BINS + 1)

    def mean_counts(who: Array) -> tuple[float, ...]:
        each = [np.histogram(expit(z[who]), edges)[0] for z in seen.log_odds]
        return tuple(np.mean(each, axis=0).tolist())

    return RiskDistribution(
        edges=tuple(edges.tolist()),
        events=mean_counts(seen.outcome == 1),
        non_events=mean_counts(seen.outcome == 0),
    )
