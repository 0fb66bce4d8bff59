"""The model beside another prediction of the same patients, over the same bootstrap draws."""

import numpy as np

from training.evaluation.asked import Asked
from training.evaluation.calibration import observed_over_expected_estimate, slope_estimate
from training.evaluation.decision_curve import benefit_curve, benefits, of_treating, threshold_grid
from training.evaluation.discrimination import auroc, auroc_estimate
from training.evaluation.estimate import Estimate
from training.evaluation.intervals import draws_of_patients, from_draws, missing, no_spread
from training.evaluation.overall_accuracy import brier_estimate, log_loss_estimate, log_losses
from training.evaluation.record import Beside, Comparison
from training.evaluation.scored_cohort import Array
from training.evaluation.seen import Seen


def comparison(
    name: str, leading: Seen, comparator: Array, outcome: Array, asked: Asked
) -> Comparison | None:
    """Compare the leading log-odds with a comparator's, (n,); None if no patient has both."""
    both = ~np.isnan(comparator[leading.patients])
    if not both.any():
        return None
    model = leading.take(both)
    other = Seen.among(comparator[model.patients], outcome[model.patients])
    draws = draws_of_patients(len(model), asked.draws, asked.seed)
    thresholds = threshold_grid(asked.net_benefit_range)
    worth_model, worth_other = (
        benefits(s.log_odds, s.outcome, thresholds).mean(axis=0) for s in (model, other)
    )
    return Comparison(
        comparator=name,
        patients=len(model),
        events=model.events,
        model=_beside(model, worth_model, draws),
        other=_beside(other, worth_other, draws),
        log_loss_difference=_log_loss_difference(model, other, draws),
        auroc_difference=_auroc_difference(model, other, draws),
        thresholds=tuple(thresholds.tolist()),
        treat_all=benefit_curve(of_treating(model.outcome, thresholds), draws, model),
        net_benefit_difference=benefit_curve(worth_model - worth_other, draws, model),
    )


def _beside(seen: Seen, worth: Array, draws: Array) -> Beside:
    return Beside(
        auroc=auroc_estimate(seen),
        brier=brier_estimate(seen),
        log_loss=log_loss_estimate(seen),
        calibration_slope=slope_estimate(seen),
        observed_over_expected=observed_over_expected_estimate(seen),
        net_benefit=benefit_curve(worth, draws, seen),
    )


def _log_loss_difference(model: Seen, other: Seen, draws: Array) -> Estimate:
    each = (
        log_losses(model.log_odds, model.outcome).mean(axis=0)
        - log_losses(other.log_odds, other.outcome)[0]
    )
    if why := no_spread(model):
        return Estimate(value=float(each.mean()), reason=why)
    return from_draws(float(each.mean()), draws @ each / len(each))


def _auroc_difference(model: Seen, other: Seen, draws: Array) -> Estimate:
    if model.one_class:
        return missing(model.one_class)
    weights = np.vstack([np.ones(len(model)), draws])
    of_model = np.mean([auroc(z, model.outcome, weights) for z in model.log_odds], axis=0)
    difference = of_model - auroc(other.log_odds[0], other.outcome, weights)
    return from_draws(float(difference[0]), difference[1:])
