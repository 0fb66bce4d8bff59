"""The risk in words: what each predictor adds, sorted, exact to the last digit.

Contributions are Shapley values in log-odds against the typical patient of the same product and
disease: the linear part in closed form, the trees by enumeration.
They say what goes with the risk, never what causes it.
"""

from collections.abc import Mapping

import numpy as np

from data_schemas.predictors import PREDICTORS, Category, Flag, Quantity
from data_schemas.risk_assessment import Contribution
from serving.risk_model import Prediction, RiskModel
from serving.tumour_burden import TumourBurden

Array = np.ndarray

BURDEN = "tumour_burden"
_NEGLIGIBLE = 5e-13


def contributions(
    model: RiskModel,
    prediction: Prediction,
    patient: int,
    columns: Mapping[str, Array],
    burden: TumourBurden,
) -> tuple[Contribution, ...]:
    """Return one contribution a predictor, largest first; their sum is ``logit - base``."""
    totals: dict[str, float] = {}
    for term, value in zip(model.terms, prediction.contributions[patient], strict=True):
        totals[term.predictor] = totals.get(term.predictor, 0.0) + float(value)
    ordered = sorted(totals, key=lambda name: (-abs(totals[name]), name))
    return tuple(_contribution(name, totals[name], patient, columns, burden) for name in ordered)


def _contribution(
    name: str, log_odds: float, patient: int, columns: Mapping[str, Array], burden: TumourBurden
) -> Contribution:
    if name == BURDEN:
        label, group = "Tumour burden", "tumour"
        value = _burden_in_words(patient, columns, burden)
    else:
        declared = PREDICTORS[name]
        label, group = declared.label, declared.group
        value = value_in_words(name, columns[name][patient])
    return Contribution(
        predictor=name,
        label=label,
        group=group,
        log_odds=log_odds,
        measured=value is not None,
        text=_sentence(label, value, log_odds),
    )


def _sentence(label: str, value: str | None, log_odds: float) -> str:
    if value is None:
        return f"{label} not measured; typical assumed"
    if abs(log_odds) < _NEGLIGIBLE:
        return f"{label} {value}: as typical"
    return f"{label} {value}: goes with a {'higher' if log_odds > 0 else 'lower'} risk than typical"


def value_in_words(name: str, value: object) -> str | None:
    """Return a predictor's value as a clinician writes it, None where it is missing."""
    declared = PREDICTORS[name]
    if isinstance(declared, Category):
        return None if value is None or value == "unknown" else str(value).replace("_", " ")
    number = float(value)  # type: ignore[arg-type]  # quantities and flags are numbers
    if np.isnan(number):
        return None
    if isinstance(declared, Flag):
        return "present" if number else "absent"
    assert isinstance(declared, Quantity)
    unit = {"a": "years", "{score}": "", "{count}": "", "{INR}": ""}.get(
        declared.unit, declared.unit
    )
    return f"{number:.4g} {unit}".strip()


def _burden_in_words(
    patient: int, columns: Mapping[str, Array], burden: TumourBurden
) -> str | None:
    percentile = float(burden.percentile[patient])
    if np.isnan(percentile):
        return None
    source = str(burden.source[patient])
    measured = value_in_words(source, columns[source][patient])
    return f"percentile {100 * percentile:.0f} ({PREDICTORS[source].label.lower()} {measured})"


def natural_frequency(risk: float) -> str:
    """Return the risk as a frequency of 100 patients."""
    percent = 100 * risk
    if percent < 1:
        return "fewer than 1 of 100 patients like this"
    if percent > 95:
        return "more than 95 of 100 patients like this"
    return f"about {percent:.0f} of 100 patients like this"
