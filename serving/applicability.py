"""Is this patient like those the model can speak of? Scope, missing weight, cautions.

Vectorised over patients, so that the service and batch scoring judge alike.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from data_schemas.predictors import PREDICTORS, Quantity
from data_schemas.products import DISEASES, PRODUCTS, scope_problem
from data_schemas.risk_assessment import CautionCode, Status
from serving.risk_model import Prediction, RiskModel
from serving.tumour_burden import NO_SOURCE, tumour_burden

Array = np.ndarray

MOST_MISSING_WEIGHT = 0.40
"""Above this share of the model's weight on missing predictors no risk is given."""

MAIN_PREDICTOR_WEIGHT = 0.10
"""A missing predictor that carries more of the weight than this raises a caution."""

BURDEN = "tumour_burden"
_NOT_FOR_SOFT_LIMITS = frozenset({"ldh_uln"})


@dataclass(frozen=True, slots=True)
class RaisedCaution:
    """A caution and the patients whom it concerns, shape (n,)."""

    code: CautionCode
    predictor: str | None
    concerns: Array


def cautions(
    columns: Mapping[str, Array],
    days_before: Mapping[str, Array],
    model: RiskModel,
    *,
    simulated: bool,
) -> list[RaisedCaution]:
    """Return every caution that concerns at least one patient.

    Parameters
    ----------
    columns
        Contract columns in canonical units, each of shape (n,).
    days_before
        How many days before infusion a predictor was measured, NaN where unknown.
    """
    raised = [
        *_soft_limits(columns),
        *_old_values(days_before),
        *_clinical(columns, model),
        *_main_predictors_missing(columns, model),
    ]
    if simulated:
        everyone = np.ones(len(columns["disease"]), dtype=bool)
        raised.append(RaisedCaution(CautionCode.FITTED_ON_SIMULATED_PATIENTS, None, everyone))
    return [caution for caution in raised if caution.concerns.any()]


def statuses(
    columns: Mapping[str, Array], prediction: Prediction, raised: list[RaisedCaution]
) -> tuple[list[Status], list[str]]:
    """Return each patient's status, and the reason in words where no risk is given."""
    age = np.asarray(columns["age"], dtype=float)
    cautious = np.zeros(len(age), dtype=bool)
    for caution in raised:
        cautious |= caution.concerns
    judged = [
        _judge(
            str(columns["product"][i]),
            str(columns["disease"][i]),
            None if np.isnan(age[i]) else float(age[i]),
            bool(prediction.in_scope[i]),
            float(prediction.missing_weight[i]),
            bool(cautious[i]),
        )
        for i in range(len(age))
    ]
    return [status for status, _ in judged], [reason for _, reason in judged]


def _judge(
    product: str,
    disease: str,
    age_years: float | None,
    in_scope: bool,
    missing_weight: float,
    cautious: bool,
) -> tuple[Status, str]:
    problem = scope_problem(product, disease, age_years) if product in PRODUCTS else None
    if not in_scope or problem:
        unknown = f"the model knows no such product in {DISEASES.get(disease, 'this disease')}"
        return Status.OUT_OF_SCOPE, problem or unknown
    if age_years is None:
        return Status.INSUFFICIENT_DATA, "age is unknown"
    if missing_weight > MOST_MISSING_WEIGHT:
        share = f"{100 * missing_weight:.0f} % of the model's weight"
        return Status.INSUFFICIENT_DATA, f"the missing predictors carry {share}"
    return (Status.CAUTION if cautious else Status.OK), ""


def _soft_limits(columns: Mapping[str, Array]) -> Iterator[RaisedCaution]:
    for name, declared in PREDICTORS.items():
        if isinstance(declared, Quantity) and name not in _NOT_FOR_SOFT_LIMITS:
            values = np.asarray(columns[name], dtype=float)
            low, high = declared.soft
            yield RaisedCaution(CautionCode.SOFT_LIMIT, name, (values < low) | (values > high))


def _old_values(days_before: Mapping[str, Array]) -> Iterator[RaisedCaution]:
    for name, days in days_before.items():
        window = PREDICTORS[name].look_back_days
        if window is not None:
            yield RaisedCaution(CautionCode.OLD_VALUE, name, np.asarray(days, float) > window)


def _clinical(columns: Mapping[str, Array], model: RiskModel) -> Iterator[RaisedCaution]:
    ldh = ~np.isnan(np.asarray(columns["ldh"], dtype=float))
    no_limit = np.isnan(np.asarray(columns["ldh_uln"], dtype=float))
    yield RaisedCaution(CautionCode.LDH_LIMIT_ASSUMED, "ldh_uln", ldh & no_limit)
    if any(term.predictor == BURDEN for term in model.terms):
        source = tumour_burden(columns, model.burden_scale).source
        yield RaisedCaution(CautionCode.BURDEN_NOT_MEASURED, BURDEN, source == NO_SOURCE)
    active = columns["cns_involvement"] == "active"
    yield RaisedCaution(CautionCode.ACTIVE_CNS_DISEASE, "cns_involvement", active)
    uncontrolled = columns["active_infection"] == "uncontrolled"
    yield RaisedCaution(CautionCode.UNCONTROLLED_INFECTION, "active_infection", uncontrolled)
    cell = model.cell_of(columns)
    borrowed = np.array([cell_.origin == "borrowed" for cell_ in model.cells])[cell] & (cell >= 0)
    yield RaisedCaution(CautionCode.FEW_DATA_FOR_PRODUCT, "product", borrowed)


def _main_predictors_missing(
    columns: Mapping[str, Array], model: RiskModel
) -> Iterator[RaisedCaution]:
    for name, concerns in model.missing_main_predictors(columns, MAIN_PREDICTOR_WEIGHT).items():
        if name != BURDEN:
            yield RaisedCaution(CautionCode.PREDICTOR_NOT_MEASURED, name, concerns)
