"""Scope, missing weight and cautions of one patient: :mod:`serving.model.applicability` for one."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from typing import NamedTuple

from data_schemas.outcomes import OUTCOMES
from data_schemas.possible_dates import has_passed
from data_schemas.predictors import PREDICTORS, Quantity
from data_schemas.products import (
    DISEASES,
    WITH_DELAYED_NEUROTOXICITY,
    WITH_DOSE_SPLIT_BY_BURDEN,
    WITHOUT_PUBLISHED_EFFECTS,
)
from data_schemas.risk_assessment import CAUTION_TEXTS, CautionCode, Status
from serving.answer.compiled_terms import PatientTerms, Values, usual_creatinine
from serving.model.applicability import (
    AGE_UNKNOWN,
    MAIN_PREDICTOR_WEIGHT,
    MOST_MISSING_WEIGHT,
    beginning_of_age,
    missing_weight_in_words,
    scope_reason,
)
from serving.model.risk_model import RiskModel
from serving.model.terms import ADULT_CREATININE_MG_DL
from serving.model.tumour_burden import BURDEN

_SOFT_LIMITS = {
    name: declared.soft for name, declared in PREDICTORS.items() if isinstance(declared, Quantity)
}


class Raised(NamedTuple):
    """A caution about one predictor or about the whole answer, in words."""

    code: CautionCode
    predictor: str | None
    text: str

    def shown(self) -> dict[str, object]:
        """Return the fields of a :class:`Caution`."""
        about = {} if self.predictor is None else {"predictor": self.predictor}
        return {"code": self.code.value, **about, "text": self.text}


@cache
def raised(code: CautionCode, predictor: str | None) -> Raised:
    """Return a caution in words."""
    text, declared = CAUTION_TEXTS[code], PREDICTORS.get(predictor or "")
    return Raised(code, predictor, f"{declared.label}: {text}" if declared else text)


def of_outcome(code: CautionCode, label: str) -> Raised:
    """Return a caution that concerns one outcome and not the other, by its label."""
    return Raised(code, None, f"{label}: {CAUTION_TEXTS[code]}")


def of_values(values: Values, days_before: Mapping[str, int]) -> list[Raised]:
    """Return the cautions about values themselves, whichever model reads them."""
    found = []
    for name, value in values.items():
        limits = _SOFT_LIMITS.get(name)
        if limits is None:
            continue
        number = float(value)
        if name == "creatinine":
            number *= ADULT_CREATININE_MG_DL / usual_creatinine(values)
        if not limits[0] <= number <= limits[1]:
            found.append(raised(CautionCode.SOFT_LIMIT, name))
    for name, days in days_before.items():
        window = PREDICTORS[name].look_back_days
        if window is not None and days > window:
            found.append(raised(CautionCode.OLD_VALUE, name))
    return found


def of_infusion(infusion: date | None, today: date | None) -> list[Raised]:
    """Return the caution that an infusion is over, by the day on which it is asked about.

    Without such a day there is none: a table of past patients is not told that they are past.
    """
    if infusion is None or today is None or not has_passed(infusion, today):
        return []
    return [raised(CautionCode.INFUSION_HAS_PASSED, None)]


class CompiledCautions:
    """What a model is careful about, one patient at a time."""

    def __init__(self, model: RiskModel, always: Sequence[Raised] = ()) -> None:
        """Settle what depends on cell or disease alone; ``always``: those of the model itself."""
        self._asks_burden = any(term.predictor == BURDEN for term in model.terms)
        self._borrowed = [cell.origin == "borrowed" for cell in model.cells]
        self._always = list(always)
        self._outcome = model.outcome
        main = {n: s > MAIN_PREDICTOR_WEIGHT for n, s in model.share_by_predictor().items()}
        codes = dict(zip(DISEASES, range(len(DISEASES)), strict=True))
        self._main = {
            disease: [name for name in main if main[name][code] and name != BURDEN]
            for disease, code in codes.items()
        }

    def raised(
        self, shared: list[Raised], values: Values, cell: int, patient: PatientTerms
    ) -> list[Raised]:
        """Return every caution, after those about the values themselves; ``cell`` -1: none."""
        found = list(shared)
        if "ldh" in values and "ldh_uln" not in values:
            found.append(raised(CautionCode.LDH_LIMIT_ASSUMED, "ldh_uln"))
        if self._asks_burden and patient.burden is None:
            found.append(raised(CautionCode.BURDEN_NOT_MEASURED, BURDEN))
        if patient.burdens_disagree:
            found.append(raised(CautionCode.BURDEN_MEASURES_DISAGREE, BURDEN))
        if values.get("cns_involvement") == "active":
            found.append(raised(CautionCode.ACTIVE_CNS_DISEASE, "cns_involvement"))
        if values.get("active_infection") == "uncontrolled":
            found.append(raised(CautionCode.UNCONTROLLED_INFECTION, "active_infection"))
        if cell >= 0 and self._borrowed[cell]:
            found.append(raised(CautionCode.FEW_DATA_FOR_PRODUCT, "product"))
        product, disease = str(values["product"]), str(values["disease"])
        found += _of_product_and_disease(product, disease, self._outcome)
        main = self._main[disease]
        known = {*patient.distance, *patient.not_asked}
        lacking = [name for name in main if name not in known]
        found += [raised(CautionCode.PREDICTOR_NOT_MEASURED, name) for name in lacking]
        return found + self._always


@cache
def _of_product_and_disease(product: str, disease: str, outcome: str) -> tuple[Raised, ...]:
    """Return what holds for every patient of a product in a disease."""
    delayed = [raised(CautionCode.DELAYED_NEUROTOXICITY, "product")]
    split = [raised(CautionCode.DOSE_SPLIT_BY_BURDEN, "product")]
    return (
        *_borrowed(disease, outcome),
        *(delayed if product in WITH_DELAYED_NEUROTOXICITY else ()),
        *(split if product in WITH_DOSE_SPLIT_BY_BURDEN else ()),
    )


def _borrowed(disease: str, outcome: str) -> tuple[Raised, ...]:
    """Return the caution that effects are those of other diseases; it names a single outcome."""
    silent = [name for name, within in WITHOUT_PUBLISHED_EFFECTS.items() if disease in within]
    if outcome not in silent:
        return ()
    of_any = raised(CautionCode.EFFECTS_BORROWED, "disease")
    if len(silent) == len(WITHOUT_PUBLISHED_EFFECTS):
        return (of_any,)
    return (of_any._replace(text=f"{OUTCOMES[outcome].label}: {of_any.text}"),)


def status_of(
    values: Mapping[str, object], cell: int, missing_weight: float, *, cautious: bool
) -> tuple[Status, str]:
    """Return the status, and the reason in words where no risk is given."""
    age = values.get("age")
    from_age = beginning_of_age(age if isinstance(age, float) else None)
    product, disease = str(values["product"]), str(values["disease"])
    problem = scope_reason(product, disease, from_age, in_scope=cell >= 0)
    if problem is not None:
        return Status.OUT_OF_SCOPE, problem
    if age is None:
        return Status.INSUFFICIENT_DATA, AGE_UNKNOWN
    if missing_weight > MOST_MISSING_WEIGHT:
        return Status.INSUFFICIENT_DATA, missing_weight_in_words(round(100 * missing_weight))
    return (Status.CAUTION if cautious else Status.OK), ""
