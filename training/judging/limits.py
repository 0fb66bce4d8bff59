"""What a judgement reached, limit by limit, of those that an experiment declares.

What could not be measured was not reached.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from training.acceptance import FEW_EVENTS, FEWEST_SITES, Acceptance
from training.evaluation.estimate import Curve, Estimate
from training.evaluation.record import Evaluation
from training.judging.comparators import PRODUCT_RATE
from training.judging.leakage import Separation
from training.judging.verdict import Limit
from training.judging.wanted import Wanted

TOO_EXTREME, TOO_MODEST = "risks are too extreme", "risks are too modest"

_TOO_FEW_REFITS = Estimate(reason="too few refits on bootstrap samples, or patients of one kind")
_OVERFITTED = "the model is fitted to chance (overfitted)"
_SUSPICIOUS = (
    "nothing known beforehand separates so well, so that the outcome is suspected to have leaked "
    "into a predictor"
)


def leading_view(evaluation: Evaluation, acceptance: Acceptance) -> Iterator[Limit]:
    """Hold the view that speaks for the model: calibrated, better than chance, not too good."""
    few = evaluation.events < FEW_EVENTS
    slope = "calibration_slope_few_events" if few else "calibration_slope"
    lowest, highest = getattr(acceptance, slope)
    yield _led(
        evaluation,
        "observed_over_expected",
        Wanted(
            "observed_over_expected",
            "Observed over expected",
            *acceptance.observed_over_expected,
            too_low="risks are too high",
            too_high="risks are too low",
        ),
    )
    yield _led(
        evaluation,
        "calibration_slope",
        Wanted(
            slope,
            "Calibration slope",
            at_least=lowest,
            at_most=highest,
            too_low=TOO_EXTREME,
            too_high=TOO_MODEST,
        ),
    )
    yield _led(
        evaluation,
        "ici",
        Wanted(
            "ici",
            "Mean distance of the calibration curve from the risks (ICI)",
            at_most=acceptance.ici,
            too_high="risks are wrong somewhere, if not on average",
            digits=3,
        ),
    )
    yield _led(
        evaluation,
        "auroc",
        Wanted(
            "auroc_lower_end",
            "Lower end of the interval of the AUROC",
            at_least=acceptance.auroc_lower_end,
            too_low="patients with and without the outcome may be told apart by chance alone",
            end="low",
        ),
    )
    yield _led(
        evaluation,
        "auroc",
        Wanted("auroc", "AUROC", at_most=acceptance.auroc, too_high=_SUSPICIOUS),
    )


def _led(evaluation: Evaluation, measure: str, wanted: Wanted) -> Limit:
    """Hold a measure of the leading view against what is wanted of it."""
    view = evaluation.headline
    estimate = view.measures.estimates()[measure] if view else _nothing_leads(evaluation)
    at = f"{evaluation.leading}.measures.{measure}.{wanted.end}" if view else None
    return replace(wanted, measure=at).of(estimate)


def _nothing_leads(evaluation: Evaluation) -> Estimate:
    return Estimate(reason=evaluation.absent["leading"])


def beside_product_rate(evaluation: Evaluation, acceptance: Acceptance) -> Iterator[Limit]:
    """Hold the model against what needs no model, on the same patients."""
    names = [c.comparator for c in evaluation.comparisons]
    if PRODUCT_RATE not in names:
        why = " (no rate of the product is published)" if evaluation.headline else ""
        worse = "the share of these patients with the outcome does better alone"
        yield _led(
            evaluation,
            "scaled_brier",
            Wanted(
                "scaled_brier",
                f"Scaled Brier score{why}",
                at_least=acceptance.scaled_brier,
                too_low=worse,
            ),
        )
        return
    place = names.index(PRODUCT_RATE)
    comparison = evaluation.comparisons[place]
    worse = "the product's published rate does better alone"
    yield Wanted(
        "log_loss_over_product_rate",
        "Log-loss less that of the product's published rate",
        at_most=acceptance.log_loss_over_product_rate,
        too_high=worse,
        measure=f"comparisons.{place}.log_loss_difference.value",
        digits=4,
    ).of(comparison.log_loss_difference)
    benefit = comparison.net_benefit_difference
    i = int(np.argmin(benefit.high or benefit.value))
    threshold = f"{100 * comparison.thresholds[i]:.0f} %"
    yield Wanted(
        "net_benefit_over_product_rate",
        f"Upper end of the net benefit at {threshold}, the worst threshold, less that of the "
        "product's published rate,",
        at_least=acceptance.net_benefit_over_product_rate,
        too_low=f"who acts at {threshold} is better served by the product's rate",
        measure=f"comparisons.{place}.net_benefit_difference.high.{i}" if benefit.high else None,
        digits=4,
    ).of(_upper_end(benefit, i))


def _upper_end(curve: Curve, place: int) -> Estimate:
    if curve.high is None:
        return Estimate(reason=curve.reason)
    return Estimate(value=curve.high[place], reason="the upper end of a pointwise band")


def across_sites(evaluation: Evaluation, acceptance: Acceptance) -> Iterator[Limit]:
    """Hold the slope in sites that the fit had not seen; nothing where they are too few."""
    for place, across in enumerate(evaluation.across):
        pooled = across.calibration_slope
        if across.by == "site" and across.left_out and pooled and pooled.groups >= FEWEST_SITES:
            yield Wanted(
                "calibration_slope_across_sites",
                "Calibration slope in sites left out, pooled",
                *acceptance.calibration_slope_across_sites,
                too_low=f"at a new site {TOO_EXTREME}",
                too_high=f"at a new site {TOO_MODEST}",
                measure=f"across.{place}.calibration_slope.mean.value",
            ).of(pooled.mean)


def refitted(evaluation: Evaluation, acceptance: Acceptance) -> Iterator[Limit]:
    """Hold what refits say of a model fitted here: whether it is fitted to chance, and lasts."""
    if not evaluation.fitted_here:
        return
    corrected, found = evaluation.optimism_corrected, evaluation.instability
    yield Wanted(
        "auroc_optimism",
        "Apparent AUROC less the corrected one",
        at_most=acceptance.auroc_optimism,
        too_high=_OVERFITTED,
        measure="optimism_corrected.auroc.optimism" if corrected else None,
        digits=3,
    ).of(_number(corrected.auroc.optimism if corrected else None))
    yield Wanted(
        "auroc_apparent_over_cross_validated",
        "Apparent AUROC less the cross-validated one",
        at_most=acceptance.auroc_apparent_over_cross_validated,
        too_high=_OVERFITTED,
        digits=3,
    ).of(_apparent_less_cross_validated(evaluation))
    yield Wanted(
        "mean_absolute_change",
        "Mean change of a patient's risk between refits",
        at_most=acceptance.mean_absolute_change,
        too_high="other patients of the same kind would have made another model",
        measure="instability.mean_absolute_change" if found else None,
        digits=3,
    ).of(_number(found.mean_absolute_change if found else None))
    for place, threshold in enumerate(evaluation.asked.thresholds):
        yield Wanted(
            "reclassified",
            f"Share of patients whom a refit puts on the other side of {100 * threshold:g} %",
            at_most=acceptance.reclassified,
            too_high="who is treated depends on who else was in the cohort",
            measure=f"instability.reclassified.{place}.share" if found else None,
        ).of(_number(found.reclassified[place].share if found else None))


def _number(value: float | None) -> Estimate:
    return _TOO_FEW_REFITS if value is None else Estimate(value=value, reason="no interval")


def _apparent_less_cross_validated(evaluation: Evaluation) -> Estimate:
    if evaluation.apparent is None or evaluation.cross_validated is None:
        return _nothing_leads(evaluation)
    apparent = evaluation.apparent.measures.auroc
    cross_validated = evaluation.cross_validated.measures.auroc
    if apparent.value is None or cross_validated.value is None:
        return Estimate(reason=apparent.reason or cross_validated.reason)
    return _number(apparent.value - cross_validated.value)


def alone(strongest: Separation | None, acceptance: Acceptance) -> Iterator[Limit]:
    """Hold the predictor that separates best by itself."""
    if strongest is None:
        return
    yield Wanted(
        "single_predictor_auroc",
        f"AUROC of {strongest.predictor} alone, by {strongest.by},",
        at_most=acceptance.single_predictor_auroc,
        too_high=_SUSPICIOUS,
    ).of(strongest.auroc)
