"""Is this patient like those the model can speak of? Scope, missing weight, cautions.

Vectorised over patients, so that the service and batch scoring judge alike.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import count

import numpy as np

from data_schemas.predictors import PREDICTORS, Quantity
from data_schemas.products import (
    ADULT_YEARS,
    DISEASES,
    PRODUCTS,
    WITH_DELAYED_NEUROTOXICITY,
    WITH_DOSE_SPLIT_BY_BURDEN,
    WITHOUT_PUBLISHED_EFFECTS,
    scope_problem,
)
from data_schemas.risk_assessment import CautionCode, Status
from serving.model.artefact import Artefact
from serving.model.risk_model import Prediction, RiskModel, expit
from serving.model.terms import ADULT_CREATININE_MG_DL, usual_creatinine
from serving.model.tumour_burden import BURDEN, NO_SOURCE, tumour_burden

Array = np.ndarray

MOST_MISSING_WEIGHT = 0.40
"""Above this share of the model's weight on missing predictors no risk is given."""

MAIN_PREDICTOR_WEIGHT = 0.10
"""A missing predictor that carries more of the weight than this raises a caution."""

WIDEST_INTERVAL = 0.75
"""An interval that spans more of all risks than this raises a caution: our choice."""

AGE_UNKNOWN = "age is unknown"

_STATUSES = np.array(list(Status), dtype=object)
_OK, _CAUTION, _INSUFFICIENT_DATA, _OUT_OF_SCOPE = range(len(_STATUSES))


@dataclass(frozen=True, slots=True)
class RaisedCaution:
    """A caution and the patients whom it concerns, shape (n,)."""

    code: CautionCode
    predictor: str | None
    concerns: Array


def of_the_model(artefact: Artefact) -> tuple[CautionCode, ...]:
    """Return the cautions that stand in every answer of a model, whoever the patient is."""
    simulated = artefact.manifest.cohort.is_simulated
    # Somebody signed for a model that breaks its limits: otherwise it would not be in service.
    broken = artefact.verdict is not None and artefact.verdict["accepted"] is False
    refused = broken or artefact.overridden
    return (
        *([CautionCode.FITTED_ON_SIMULATED_PATIENTS] if simulated else []),
        *([CautionCode.LIMITS_NOT_KEPT] if refused else []),
    )


def cautions(
    columns: Mapping[str, Array],
    days_before: Mapping[str, Array],
    model: RiskModel,
    prediction: Prediction,
    always: tuple[CautionCode, ...] = (),
) -> list[RaisedCaution]:
    """Return every caution that concerns at least one patient.

    Parameters
    ----------
    columns
        Contract columns in canonical units, each of shape (n,).
    days_before
        How many days before infusion a predictor was measured, NaN where unknown.
    prediction
        What the model says of the patients.
    always
        Those of the model itself (:func:`of_the_model`).
    """
    raised = [
        *_soft_limits(columns),
        *_old_values(days_before),
        *_clinical(columns, model),
        *_main_predictors_missing(columns, model),
    ]
    wide = expit(prediction.high) - expit(prediction.low) > WIDEST_INTERVAL
    raised.append(RaisedCaution(CautionCode.WIDE_INTERVAL, None, wide))
    everyone = np.ones(len(wide), dtype=bool)
    raised += [RaisedCaution(code, None, everyone) for code in always]
    return [caution for caution in raised if caution.concerns.any()]


def statuses(
    columns: Mapping[str, Array], prediction: Prediction, raised: list[RaisedCaution]
) -> tuple[list[Status], list[str]]:
    """Return each patient's status, and the reason in words where no risk is given."""
    age = np.asarray(columns["age"], dtype=float)
    cautious = np.zeros(len(age), dtype=bool)
    for caution in raised:
        cautious |= caution.concerns
    scope = _out_of_scope(columns, age, prediction.in_scope)
    share = np.rint(100 * prediction.missing_weight)
    reason = np.select(
        [scope != "", np.isnan(age), prediction.missing_weight > MOST_MISSING_WEIGHT],
        [scope, AGE_UNKNOWN, _PERCENTAGES[np.nan_to_num(share).astype(np.intp)]],
        "",
    )
    status = np.where(cautious, _CAUTION, _OK)
    status[reason != ""] = _INSUFFICIENT_DATA
    status[scope != ""] = _OUT_OF_SCOPE
    return _STATUSES[status].tolist(), reason.tolist()


def _out_of_scope(columns: Mapping[str, Array], age: Array, in_scope: Array) -> Array:
    """Return why each patient is out of scope, an empty text where not; judged once a kind."""
    kinds: defaultdict[tuple[str, str, float | None, bool], int] = defaultdict(count().__next__)
    band = _AGES[np.digitize(age, _AGES_BEGIN)]
    band[np.isnan(age)] = None
    rows = zip(columns["product"], columns["disease"], band, in_scope.tolist(), strict=True)
    kind = np.fromiter(map(kinds.__getitem__, rows), np.intp, len(age))
    reasons = [
        scope_reason(product, disease, from_age, in_scope=known) or ""
        for product, disease, from_age, known in kinds
    ]
    return np.array(reasons, dtype=object)[kind]


_AGES_BEGIN = sorted(
    {ADULT_YEARS} | {years + 1.0 for p in PRODUCTS.values() for years in p.up_to_years.values()}
)
_AGES = np.array([0.0, *_AGES_BEGIN], dtype=object)


def beginning_of_age(age_years: float | None) -> float | None:
    """Return where the band of ages begins that the products' rules tell from others."""
    return None if age_years is None else _AGES[bisect_right(_AGES_BEGIN, age_years)]


@cache
def scope_reason(
    product: str, disease: str, from_age: float | None, *, in_scope: bool
) -> str | None:
    """Return why a model cannot speak of a patient.

    Parameters
    ----------
    from_age
        Where the patient's band of ages begins (:func:`beginning_of_age`).
    in_scope
        The model has a cell for them.
    """
    if product in PRODUCTS:
        problem = scope_problem(product, disease, from_age)
        if problem is not None:
            return problem
    if in_scope:
        return None
    return f"the model knows no such product in {DISEASES.get(disease, 'this disease')}"


def missing_weight_in_words(percent: int) -> str:
    """Say how much of the model's weight rests on what was not measured."""
    return f"the missing predictors carry {percent} % of the model's weight"


_PERCENTAGES = np.array([missing_weight_in_words(i) for i in range(101)], dtype=object)


def _soft_limits(columns: Mapping[str, Array]) -> Iterator[RaisedCaution]:
    """Judge every value by its usual range, which for creatinine moves with the age."""
    for name, declared in PREDICTORS.items():
        if isinstance(declared, Quantity):
            values = np.asarray(columns[name], dtype=float)
            if name == "creatinine":
                ages = np.asarray(columns["age"], dtype=float)
                values = values * ADULT_CREATININE_MG_DL / usual_creatinine(ages)
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
        burden = tumour_burden(columns, model.burden_scale)
        yield RaisedCaution(CautionCode.BURDEN_NOT_MEASURED, BURDEN, burden.source == NO_SOURCE)
        yield RaisedCaution(CautionCode.BURDEN_MEASURES_DISAGREE, BURDEN, burden.disagrees)
    active = columns["cns_involvement"] == "active"
    yield RaisedCaution(CautionCode.ACTIVE_CNS_DISEASE, "cns_involvement", active)
    uncontrolled = columns["active_infection"] == "uncontrolled"
    yield RaisedCaution(CautionCode.UNCONTROLLED_INFECTION, "active_infection", uncontrolled)
    cell = model.cell_of(columns)
    borrowed = np.array([cell_.origin == "borrowed" for cell_ in model.cells])[cell] & (cell >= 0)
    yield RaisedCaution(CautionCode.FEW_DATA_FOR_PRODUCT, "product", borrowed)
    silent = WITHOUT_PUBLISHED_EFFECTS.get(model.outcome, frozenset())
    elsewhere = np.isin(columns["disease"].astype(str), list(silent))
    yield RaisedCaution(CautionCode.EFFECTS_BORROWED, "disease", elsewhere)
    delayed = np.isin(columns["product"].astype(str), list(WITH_DELAYED_NEUROTOXICITY))
    yield RaisedCaution(CautionCode.DELAYED_NEUROTOXICITY, "product", delayed)
    split = np.isin(columns["product"].astype(str), list(WITH_DOSE_SPLIT_BY_BURDEN))
    yield RaisedCaution(CautionCode.DOSE_SPLIT_BY_BURDEN, "product", split)


def _main_predictors_missing(
    columns: Mapping[str, Array], model: RiskModel
) -> Iterator[RaisedCaution]:
    for name, concerns in model.missing_main_predictors(columns, MAIN_PREDICTOR_WEIGHT).items():
        if name != BURDEN:
            yield RaisedCaution(CautionCode.PREDICTOR_NOT_MEASURED, name, concerns)
