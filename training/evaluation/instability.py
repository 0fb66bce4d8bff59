"""How much a patient's risk depends on who else happened to be in the cohort.

Riley RD, Collins GS, Biom J 2023;65:2200302: mean absolute prediction error, classification
instability index, and what the instability plots show.
"""

import numpy as np
from scipy.special import expit

from training.evaluation.asked import Asked
from training.evaluation.bootstrapped import FEWEST_REFITS, Bootstrapped, bootstrapped
from training.evaluation.calibration_curve import risk_grid, smooth
from training.evaluation.decision_curve import above, benefits, threshold_grid
from training.evaluation.record import Instability, InstabilityBand, Reclassified
from training.evaluation.scored_cohort import ScoredCohort

Array = np.ndarray


_BANDS = 10
_CENTILES = (0.025, 0.25, 0.5, 0.75, 0.975)
_BAND_EDGES = (0.025, 0.975)


def instability(scored: ScoredCohort, asked: Asked) -> Instability | None:
    """Return how risks differ between refits, or None where there are too few of them."""
    boot = bootstrapped(scored)
    if len(boot.refits) < FEWEST_REFITS or not len(boot.seen):
        return None
    model = boot.seen.log_odds[0]
    change = np.abs(expit(boot.refits) - expit(model)).mean(axis=0)
    thresholds = threshold_grid(asked.net_benefit_range)
    grid = risk_grid(model)
    curves = _calibration_curves(boot, grid)
    calibration = np.quantile(curves, _BAND_EDGES, axis=0) if len(curves) else np.empty((2, 0))
    benefit = [benefits(z, boot.seen.outcome, thresholds).mean(axis=0) for z in boot.refits]
    benefit_low, benefit_high = np.quantile(benefit, _BAND_EDGES, axis=0)
    return Instability(
        refits=len(boot.refits),
        patients=len(boot.seen),
        mean_absolute_change=float(change.mean()),
        median_absolute_change=float(np.median(change)),
        centile_95_absolute_change=float(np.quantile(change, 0.95)),
        reclassified=tuple(_reclassified(boot, t) for t in asked.thresholds),
        bands=_bands(model, boot.refits),
        calibration_risk=tuple(expit(grid).tolist()) if len(curves) else (),
        calibration_low=tuple(calibration[0].tolist()),
        calibration_high=tuple(calibration[1].tolist()),
        thresholds=tuple(thresholds.tolist()),
        net_benefit_low=tuple(benefit_low.tolist()),
        net_benefit_high=tuple(benefit_high.tolist()),
        served_over_bootstrap=_served_over_bootstrap(scored, boot),
    )


def _reclassified(boot: Bootstrapped, threshold: float) -> Reclassified:
    at = np.array([threshold])
    differs = above(boot.refits, at) != above(boot.seen.log_odds[0], at)
    return Reclassified(threshold=threshold, share=float(differs.mean()))


def _bands(model: Array, refits: Array) -> tuple[InstabilityBand, ...]:
    """Return the tenths of the model's risks; a tenth that ties leave empty is not returned."""
    limits = np.quantile(model, np.arange(1, _BANDS) / _BANDS)
    tenth = np.searchsorted(limits, model, side="right")
    centiles = np.quantile(expit(refits), _CENTILES, axis=0)
    return tuple(
        _band(expit(model[who]), centiles[:, who])
        for who in (tenth == i for i in range(_BANDS))
        if who.any()
    )


def _band(risk: Array, centiles: Array) -> InstabilityBand:
    c2_5, c25, c50, c75, c97_5 = centiles.mean(axis=1).tolist()
    return InstabilityBand(
        risk=float(risk.mean()),
        centile_2_5=c2_5,
        centile_25=c25,
        centile_50=c50,
        centile_75=c75,
        centile_97_5=c97_5,
    )


def _calibration_curves(boot: Bootstrapped, grid: Array) -> Array:
    """Return each refit's calibration curve on the original patients, none if too few exist."""
    curves = []
    for log_odds in boot.refits:
        curve = None if boot.seen.one_class else smooth(log_odds, boot.seen.outcome)
        if curve is not None:
            curves.append(expit(curve.design(grid) @ curve.beta))
    return np.array(curves if len(curves) >= 0.9 * len(boot.refits) else [])


def _served_over_bootstrap(scored: ScoredCohort, boot: Bootstrapped) -> float | None:
    width = (scored.high - scored.low)[boot.seen.patients]
    low, high = np.quantile(boot.refits, (0.05, 0.95), axis=0)
    known = ~np.isnan(width) & (high > low)
    return float(np.median(width[known] / (high - low)[known])) if known.any() else None
