"""The sample-size criteria beside the patients there are."""

import math

from training.evaluation import sample_size as size
from training.evaluation.asked import Asked
from training.evaluation.record import Criterion, SampleSize

_EVENTS_A_PARAMETER = 10
_MOST_PARAMETERS_OF_ERROR = 30
_MEANINGS = {
    "development_prevalence": "the mean risk is known within 0.05, or a quarter of a rare one",
    "development_shrinkage": "estimates need to shrink by no more than 10 %",
    "development_optimism": "Nagelkerke's R2 is optimistic by no more than 0.05",
    "development_error": "risks are wrong by no more than 0.05 on average",
    "events_per_parameter": f"{_EVENTS_A_PARAMETER} events for each candidate parameter",
    "external_observed_over_expected": "the interval of O/E has a half-width of 0.2",
    "external_slope": "the interval of the calibration slope has a half-width of 0.2",
    "external_auroc": "the interval of the AUROC has a width of 0.1",
}


def sample_size_criteria(patients: int, events: int, fitted_here: bool, asked: Asked) -> SampleSize:
    """Return the criteria of development for a model fitted here, else those of validation."""
    prevalence = events / patients if patients else None
    if prevalence is None or prevalence in (0.0, 1.0):
        criteria: tuple[Criterion, ...] = ()
    else:
        needed = _development if fitted_here else _validation
        criteria = tuple(
            _criterion(name, n, patients, events) for name, n in needed(prevalence, asked).items()
        )
    return SampleSize(
        patients=patients,
        events=events,
        prevalence=prevalence,
        anticipated_auroc=asked.anticipated_auroc,
        parameters=asked.parameters,
        criteria=criteria,
        met=_all_met([c.met for c in criteria]),
        reason=None if criteria else "patients with and without the outcome are needed",
    )


def _all_met(each: list[bool | None]) -> bool | None:
    """Return whether all are met; None if none fails and not all could be computed."""
    if False in each:
        return False
    return True if each and None not in each else None


def _development(prevalence: float, asked: Asked) -> dict[str, float | str]:
    """Return how many patients each criterion asks for, or why that is not known."""
    margin = size.prevalence_margin(prevalence)
    of_prevalence = {"development_prevalence": size.for_prevalence(prevalence, margin)}
    p = asked.parameters
    if p is None:
        reason = "the number of candidate parameters was not declared"
        others = [name for name in _MEANINGS if not name.startswith("external")]
        return dict.fromkeys(others, reason) | of_prevalence
    r2 = size.cox_snell_r2(prevalence, asked.anticipated_auroc)
    error: float | str = size.for_risk_error(p, prevalence)
    if p > _MOST_PARAMETERS_OF_ERROR:
        error = "known for up to 30 candidate parameters only"
    return of_prevalence | {
        "development_shrinkage": size.for_shrinkage(p, r2),
        "development_optimism": size.for_optimism(p, r2, prevalence),
        "development_error": error,
        "events_per_parameter": _EVENTS_A_PARAMETER * p / prevalence,
    }


def _validation(prevalence: float, asked: Asked) -> dict[str, float | str]:
    return {
        "external_observed_over_expected": size.for_observed_over_expected(prevalence),
        "external_slope": size.for_slope(prevalence, asked.anticipated_auroc),
        "external_auroc": size.for_auroc(prevalence, asked.anticipated_auroc),
    }


def _criterion(name: str, needed: float | str, patients: int, events: int) -> Criterion:
    if isinstance(needed, str):
        return Criterion(
            name=name,
            meaning=_MEANINGS[name],
            required_patients=None,
            required_events=None,
            met=None,
            reason=needed,
        )
    # What is whole but for rounding of its last bits is not the next number.
    required = math.ceil(needed - 1e-6)
    return Criterion(
        name=name,
        meaning=_MEANINGS[name],
        required_patients=required,
        required_events=math.ceil(required * events / patients - 1e-6),
        met=patients >= required,
    )
