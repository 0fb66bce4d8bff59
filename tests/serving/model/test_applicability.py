"""Scope, cautions and statuses are judged patient by patient, at the limits too."""

from dataclasses import replace

import numpy as np
import pytest

from data_schemas.cohort_table import Cohort, predictor_columns
from data_schemas.predictors import PREDICTORS, Quantity
from data_schemas.risk_assessment import CautionCode, Status
from serving.model.applicability import (
    MOST_MISSING_WEIGHT,
    WIDEST_INTERVAL,
    RaisedCaution,
    cautions,
    of_the_model,
    statuses,
)
from serving.model.artefact import VERDICT_FILE, canonical_json
from serving.model.risk_model import RiskModel, expit
from tests.conftest import Store

Array = np.ndarray
Columns = dict[str, Array]
TYPICAL: dict[str, object] = {
    "product": "axicabtagene_ciloleucel",
    "disease": "LBCL",
    "age": 60.0,
    "crp": 15.0,
    "ferritin": 340.0,
    "ldh": 236.0,
    "ldh_uln": 250.0,
    "platelets": 150.0,
    "creatinine": 0.9,
    "mtv": 150.0,
    "ecog": 1.0,
    "prior_lines": 3.0,
    "crs_prophylaxis": "none",
}


@pytest.fixture
def model(evidence_store: Store) -> RiskModel:
    return evidence_store.models["severe_crs"]


def columns(*patients: dict[str, object]) -> Columns:
    """Each patient is typical but for what is given."""
    rows = [{**TYPICAL, **patient} for patient in patients]
    arrays = {
        name: np.array(
            [row.get(name, TYPICAL.get(name)) for row in rows],
            dtype=float if isinstance(PREDICTORS[name], Quantity) else object,
        )
        for name in {name for row in rows for name in row}
    }
    return predictor_columns(arrays, len(rows))


def raised(
    model: RiskModel, given: Columns, days: Columns | None = None, *always: CautionCode
) -> dict[tuple[CautionCode, str | None], list[bool]]:
    found = cautions(given, days or {}, model, model.predict(given), always)
    return {(c.code, c.predictor): c.concerns.tolist() for c in found}


def judged(model: RiskModel, given: Columns) -> list[tuple[Status, str]]:
    prediction = model.predict(given)
    found = cautions(given, {}, model, prediction)
    return list(zip(*statuses(given, prediction, found), strict=True))


def test_a_complete_typical_patient_raises_nothing(model: RiskModel) -> None:
    assert raised(model, columns({})) == {}
    assert judged(model, columns({})) == [(Status.OK, "")]


@pytest.mark.parametrize(
    ("patient", "code", "predictor"),
    [
        ({"crp": 351.0}, CautionCode.SOFT_LIMIT, "crp"),
        ({"platelets": 4.0}, CautionCode.SOFT_LIMIT, "platelets"),
        ({"ldh_uln": np.nan}, CautionCode.LDH_LIMIT_ASSUMED, "ldh_uln"),
        ({"mtv": np.nan}, CautionCode.BURDEN_NOT_MEASURED, "tumour_burden"),
        (
            {"mtv": 10.0, "largest_lesion": 15.0},
            CautionCode.BURDEN_MEASURES_DISAGREE,
            "tumour_burden",
        ),
        ({"cns_involvement": "active"}, CautionCode.ACTIVE_CNS_DISEASE, "cns_involvement"),
        (
            {"active_infection": "uncontrolled"},
            CautionCode.UNCONTROLLED_INFECTION,
            "active_infection",
        ),
        ({"ferritin": np.nan}, CautionCode.PREDICTOR_NOT_MEASURED, "ferritin"),
    ],
)
def test_each_reason_for_care_concerns_that_patient_only(
    model: RiskModel, patient: dict[str, object], code: CautionCode, predictor: str
) -> None:
    given = columns({}, patient, {})
    assert raised(model, given) == {(code, predictor): [False, True, False]}
    assert [status for status, _ in judged(model, given)] == [Status.OK, Status.CAUTION, Status.OK]


@pytest.mark.parametrize("name", [n for n, d in PREDICTORS.items() if isinstance(d, Quantity)])
def test_a_soft_limit_itself_raises_nothing(model: RiskModel, name: str) -> None:
    declared = PREDICTORS[name]
    assert isinstance(declared, Quantity)
    for limit in declared.soft:
        found = raised(model, columns({name: limit}))
        assert (CautionCode.SOFT_LIMIT, name) not in found
    low, high = declared.soft
    if name != "ldh_uln" and high < declared.hard[1]:
        beyond = (high + declared.hard[1]) / 2
        assert (CautionCode.SOFT_LIMIT, name) in raised(model, columns({name: beyond}))
    if name != "ldh_uln" and low > declared.hard[0]:
        beyond = (low + declared.hard[0]) / 2
        assert (CautionCode.SOFT_LIMIT, name) in raised(model, columns({name: beyond}))


def test_a_value_is_old_only_beyond_its_window(model: RiskModel) -> None:
    window = PREDICTORS["crp"].look_back_days
    assert window is not None
    days = {"crp": np.array([window, window + 1, np.nan]), "ldh_uln": np.array([900.0] * 3)}
    found = raised(model, columns({}, {}, {}), days)
    assert found == {(CautionCode.OLD_VALUE, "crp"): [False, True, False]}


def test_a_missing_ldh_needs_no_limit(model: RiskModel) -> None:
    found = raised(model, columns({"ldh": np.nan, "ldh_uln": np.nan}))
    assert (CautionCode.LDH_LIMIT_ASSUMED, "ldh_uln") not in found


def test_a_model_without_burden_does_not_ask_for_it(model: RiskModel) -> None:
    terms = tuple(replace(term, predictor="anc", transform="log1p") for term in model.terms)
    found = raised(replace(model, terms=terms), columns({"mtv": np.nan, "anc": 2.0}))
    assert (CautionCode.BURDEN_NOT_MEASURED, "tumour_burden") not in found


def test_a_borrowed_base_rate_raises_a_caution(model: RiskModel) -> None:
    borrowed = [
        cell.product for cell in model.cells if cell.origin == "borrowed" and cell.disease == "LBCL"
    ]
    assert borrowed
    found = raised(model, columns({}, *({"product": product} for product in borrowed)))
    assert found[CautionCode.FEW_DATA_FOR_PRODUCT, "product"] == [False] + [True] * len(borrowed)


def test_a_product_outside_the_cells_borrows_nothing(model: RiskModel) -> None:
    last = replace(model.cells[-1], origin="borrowed")
    found = raised(replace(model, cells=(*model.cells[:-1], last)), columns({"product": "other"}))
    assert (CautionCode.FEW_DATA_FOR_PRODUCT, "product") not in found


def test_a_caution_about_the_model_is_one_for_everyone(model: RiskModel) -> None:
    found = raised(model, columns({}, {}), None, CautionCode.LIMITS_NOT_KEPT)
    assert found == {(CautionCode.LIMITS_NOT_KEPT, None): [True, True]}


SIMULATED, NOT_KEPT = CautionCode.FITTED_ON_SIMULATED_PATIENTS, CautionCode.LIMITS_NOT_KEPT


@pytest.mark.parametrize(
    ("store", "accepted", "codes"),
    [
        ("evidence_store", True, ()),
        ("evidence_store", False, (NOT_KEPT,)),
        ("evidence_store", None, ()),
        ("fitted_store", True, (SIMULATED,)),
        ("fitted_store", False, (SIMULATED, NOT_KEPT)),
    ],
)
def test_simulated_patients_and_broken_limits_mark_a_model(
    request: pytest.FixtureRequest,
    store: str,
    accepted: bool | None,
    codes: tuple[CautionCode, ...],
) -> None:
    found: Store = request.getfixturevalue(store)
    artefact = found.artefacts["severe_crs"]
    verdict = canonical_json({"verdict": {"accepted": accepted}})
    judged = replace(artefact, files={**artefact.files, VERDICT_FILE: verdict})
    assert of_the_model(judged) == codes


def test_a_model_that_was_never_judged_breaks_no_limit(fitted_store: Store) -> None:
    artefact = fitted_store.artefacts["severe_crs"]
    assert VERDICT_FILE not in artefact.files
    assert artefact.verdict is None
    assert of_the_model(artefact) == (SIMULATED,)


@pytest.mark.parametrize(
    ("patient", "status", "reason"),
    [
        ({"product": "other"}, Status.OUT_OF_SCOPE, "knows no such product in large B-cell"),
        (
            {"product": "idecabtagene_vicleucel"},
            Status.OUT_OF_SCOPE,
            "ide-cel has no evidence in large B-cell lymphoma",
        ),
        ({"disease": "other"}, Status.OUT_OF_SCOPE, "no evidence in another disease"),
        ({"age": 17.99}, Status.OUT_OF_SCOPE, "adults only"),
        ({"age": 18.0}, Status.OK, ""),
        (
            {"product": "tisagenlecleucel", "disease": "B_ALL", "age": 26.0},
            Status.OUT_OF_SCOPE,
            "from patients up to 25 years",
        ),
        ({"age": np.nan}, Status.INSUFFICIENT_DATA, "age is unknown"),
        ({"age": np.nan, "product": "other"}, Status.OUT_OF_SCOPE, "knows no such product"),
    ],
)
def test_scope_comes_before_data_and_data_before_cautions(
    model: RiskModel, patient: dict[str, object], status: Status, reason: str
) -> None:
    found, said = judged(model, columns(patient))[0]
    assert found == status
    assert reason in said


def test_too_much_missing_weight_gives_no_risk(model: RiskModel) -> None:
    given = columns({})
    prediction = model.predict(given)
    for weight, status in (
        (MOST_MISSING_WEIGHT, Status.OK),
        (MOST_MISSING_WEIGHT + 0.01, Status.INSUFFICIENT_DATA),
    ):
        at_limit = replace(prediction, missing_weight=np.array([weight]))
        (found,), (reason,) = statuses(given, at_limit, [])
        assert found == status
    assert "41 % of the model's weight" in reason


def test_an_interval_that_leaves_nearly_everything_open_is_no_ok(model: RiskModel) -> None:
    given = columns({}, {})
    prediction = replace(model.predict(given), low=np.array([-2, -2]), high=np.array([0.4, 2.4]))
    assert expit(0.4) - expit(-2) < WIDEST_INTERVAL < expit(2.4) - expit(-2)
    (wide,) = cautions(given, {}, model, prediction)
    assert (wide.code, wide.concerns.tolist()) == (CautionCode.WIDE_INTERVAL, [False, True])


@pytest.mark.parametrize(
    ("age", "creatinine", "is_unusual"),
    [(3.0, 0.2, False), (3.0, 0.05, True), (3.0, 2.9, True), (40.0, 0.2, True), (40.0, 2.9, False)],
)
def test_the_usual_range_of_creatinine_goes_with_the_age(
    model: RiskModel, age: float, creatinine: float, is_unusual: bool
) -> None:
    patient = {"product": "tisagenlecleucel", "disease": "B_ALL", "marrow_blast": 30.0}
    given = columns({**patient, "age": age, "creatinine": creatinine})
    assert ((CautionCode.SOFT_LIMIT, "creatinine") in raised(model, given)) == is_unusual


def test_much_lower_measures_of_burden_do_not_disagree(model: RiskModel) -> None:
    """Leukaemia may fill the marrow and leave the blood free of blasts; not the other way round."""
    patient = {"product": "brexucabtagene_autoleucel", "disease": "B_ALL", "age": 44.0}
    found = raised(
        model,
        columns(
            {**patient, "marrow_blast": 95.0, "blasts_blood": 0.0},
            {**patient, "marrow_blast": 3.0, "blasts_blood": 80.0},
        ),
    )
    assert found[CautionCode.BURDEN_MEASURES_DISAGREE, "tumour_burden"] == [False, True]


def test_a_caution_concerns_whom_it_names(model: RiskModel) -> None:
    given = columns({}, {})
    caution = RaisedCaution(CautionCode.SOFT_LIMIT, "crp", np.array([False, True]))
    found, _ = statuses(given, model.predict(given), [caution])
    assert found == [Status.OK, Status.CAUTION]


def test_a_batch_is_judged_as_its_rows(fitted_store: Store, cohort: Cohort) -> None:
    model = fitted_store.models["severe_icans"]
    every = {name: column[:150] for name, column in cohort.columns().items()}
    together = judged(model, every)
    for i in range(0, 150, 5):
        row = {name: column[i : i + 1] for name, column in every.items()}
        assert judged(model, row) == [together[i]]
