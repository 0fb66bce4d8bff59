"""Holds a judgement against the limits that were declared before it, so that a model may answer.

What could not be measured was not reached, so it is refused with its reason.
A model of no patient is held to its rehearsal alone, and the verdict says so.
"""

from collections.abc import Iterable, Sequence

from data_schemas.model_manifest import Measure
from training.acceptance import Acceptance, RehearsalAcceptance
from training.evaluation.estimate import Estimate
from training.evaluation.record import Evaluation
from training.judging.leakage import Separation
from training.judging.limits import (
    TOO_EXTREME,
    TOO_MODEST,
    across_sites,
    alone,
    beside_product_rate,
    leading_view,
    refitted,
)
from training.judging.verdict import Limit, Verdict
from training.judging.wanted import Wanted


def verdict(
    evaluation: Evaluation, acceptance: Acceptance, strongest: Separation | None
) -> Verdict:
    """Judge a model that was tried on patients.

    Parameters
    ----------
    acceptance
        With the outcome's own limits filled in (`Acceptance.of`).
    strongest
        The predictor of these patients that separates best alone, None where none can be judged.
    """
    return _concluded(
        [
            *leading_view(evaluation, acceptance),
            *beside_product_rate(evaluation, acceptance),
            *across_sites(evaluation, acceptance),
            *refitted(evaluation, acceptance),
            *alone(strongest, acceptance),
        ],
        evaluation.on,
    )


def external_verdict(
    evaluation: Evaluation, acceptance: Acceptance, strongest: Separation | None
) -> Verdict:
    """Judge a finished model on the patients of another centre, as `verdict` does.

    Whether it answers is not decided here, and not said: a promotion obeys the verdict on the
    model's development, whose limits are more.
    """
    judged = verdict(evaluation, acceptance, strongest)
    on, limits = evaluation.on, judged.limits
    if judged.accepted:
        said = f"Keeps all {len(limits)} external limits on {on}."
    else:
        broken = _broken(limits)
        which = f"{len(broken)} of {len(limits)} external limits on {on}: {_names(broken)}"
        said = f"Does not keep {which}."
    in_words = (
        f"{said} Whether it may answer is for a promotion, which judges its development, too."
    )
    return judged.model_copy(update={"in_words": in_words})


def rehearsal_verdict(
    evaluation: Evaluation, measures: Iterable[Measure], acceptance: RehearsalAcceptance
) -> Verdict:
    """Judge a model of no patient by its rehearsal on simulated centres.

    Parameters
    ----------
    measures
        Of the rehearsal, those against the true risks of simulated patients among them.
    """
    absent = Estimate(reason="no simulated patient could be judged")
    slope = evaluation.headline.measures.calibration_slope if evaluation.headline else absent
    known = {m.name: Estimate(value=m.value, reason="against known risks") for m in measures}
    limits = [
        Wanted(
            "rehearsal.calibration_slope",
            "Calibration slope on simulated centres",
            *acceptance.calibration_slope,
            too_low=TOO_EXTREME,
            too_high=TOO_MODEST,
            measure="external.measures.calibration_slope.value",
        ).of(slope),
        Wanted(
            "rehearsal.interval_coverage",
            "Share of 90 % intervals that hold a simulated patient's true risk",
            *acceptance.interval_coverage,
            too_low="intervals are too narrow",
            too_high="intervals are too wide",
        ).of(known.get("interval_coverage", absent)),
        Wanted(
            "rehearsal.excess_over_product_rate",
            "Loss against the true risks as a share of what the product's rate loses",
            at_most=acceptance.excess_over_product_rate,
            too_high="the product's rate alone is nearer to the truth",
        ).of(known.get("excess_over_product_rate", absent)),
    ]
    concluded = _concluded(limits, evaluation.on)
    first = "Published evidence only: fitted on no patient."
    return concluded.model_copy(update={"in_words": f"{first} {concluded.in_words}"})


def _concluded(limits: Sequence[Limit], on: str) -> Verdict:
    broken = _broken(limits)
    if broken:
        said = (
            f"May not answer: {len(broken)} of {len(limits)} limits are not kept on {on}: "
            f"{_names(broken)}."
        )
    else:
        said = f"May answer: all {len(limits)} limits are kept on {on}."
    return Verdict(accepted=not broken, in_words=said, limits=tuple(limits))


def _broken(limits: Iterable[Limit]) -> list[Limit]:
    return [limit for limit in limits if not limit.met]


def _names(limits: Iterable[Limit]) -> str:
    return ", ".join(limit.name.replace("_", " ") for limit in limits)
