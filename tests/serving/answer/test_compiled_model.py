"""One patient is computed as a table is, to the last digits: risk, interval, reasons, cautions."""

from collections import defaultdict

import numpy as np
import pytest

from data_schemas.cohort_table import Cohort
from data_schemas.outcomes import OUTCOMES
from data_schemas.risk_assessment import CautionCode, Status
from serving.answer.compiled_cautions import CompiledCautions, of_values, status_of
from serving.answer.compiled_cautions import raised as caution_of
from serving.answer.compiled_model import CompiledModel, Said
from serving.answer.compiled_terms import CompiledTerms, PatientTerms
from serving.model.applicability import WIDEST_INTERVAL, cautions, statuses
from serving.model.disease_codes import disease_codes
from serving.model.risk_model import Prediction, RiskModel, expit
from serving.model.terms import design
from serving.model.tumour_burden import NO_SOURCE, tumour_burden
from tests.conftest import Store
from tests.serving.one_by_one import Patients, patients_of

MOST = 1e-12
MODELS = [(store, outcome) for store in ("evidence_store", "fitted_store") for outcome in OUTCOMES]


@pytest.fixture(scope="module")
def patients(cohort: Cohort) -> Patients:
    return patients_of(cohort, 4, 20260301)


@pytest.fixture(scope="module", params=MODELS, ids="-".join)
def model(request: pytest.FixtureRequest) -> RiskModel:
    store, outcome = request.param
    found: Store = request.getfixturevalue(store)
    return found.models[outcome]


@pytest.fixture(scope="module")
def read(model: RiskModel, patients: Patients) -> list[PatientTerms]:
    reader = CompiledTerms(model.terms, model.burden_scale)
    return [reader.read(r.values, str(r.values["disease"])) for r in patients.requests]


@pytest.fixture(scope="module")
def cells(model: RiskModel, patients: Patients) -> list[int]:
    return model.cell_of(patients.columns).tolist()


@pytest.fixture(scope="module")
def said(
    model: RiskModel, patients: Patients, read: list[PatientTerms], cells: list[int]
) -> list[Said]:
    compiled = CompiledModel(model)
    names = {term.predictor for term in model.terms}
    assert min(cells) >= 0
    return [
        compiled.say(
            cell,
            str(r.values["disease"]),
            terms,
            tuple(names - {*terms.distance, *terms.not_asked}),
        )
        for cell, r, terms in zip(cells, patients.requests, read, strict=True)
    ]


@pytest.fixture(scope="module")
def prediction(model: RiskModel, patients: Patients) -> Prediction:
    return model.predict(patients.columns)


def test_thousands_are_compared_and_many_values_are_missing(
    patients: Patients, read: list[PatientTerms], model: RiskModel
) -> None:
    assert len(patients) == 4000
    measured = [len(terms.distance) for terms in read]
    assert min(measured) < 0.5 * max(measured)
    assert len({str(r.values["disease"]) for r in patients.requests}) > 4


def test_terms_are_those_of_the_table(
    model: RiskModel, patients: Patients, read: list[PatientTerms]
) -> None:
    table = design(patients.columns, model.terms, model.burden_scale)
    values = np.array([terms.values for terms in read])
    np.testing.assert_allclose(values, table.values, rtol=0, atol=MOST)
    burden = tumour_burden(patients.columns, model.burden_scale)
    for terms, source, percentile in zip(read, burden.source, burden.percentile, strict=True):
        assert (terms.burden is None) == (source == NO_SOURCE)
        if terms.burden is not None:
            assert terms.burden[0] == source
            assert terms.burden[1] == pytest.approx(percentile, abs=MOST)


def test_a_predictor_is_missing_where_its_terms_are(
    model: RiskModel, patients: Patients, read: list[PatientTerms]
) -> None:
    table = design(patients.columns, model.terms, model.burden_scale)
    for j, term in enumerate(model.terms):
        missing = [term.predictor not in {*terms.distance, *terms.not_asked} for terms in read]
        applies = [term.applies_in(str(r.values["disease"])) for r in patients.requests]
        assert (np.array(missing) & applies).tolist() == table.missing[:, j].tolist()


def test_numbers_are_those_of_the_table(prediction: Prediction, said: list[Said]) -> None:
    for name in ("logit", "low", "high", "base", "missing_weight"):
        alone = np.array([getattr(one, name) for one in said])
        np.testing.assert_allclose(alone, getattr(prediction, name), rtol=0, atol=MOST)


def test_contributions_are_those_of_the_table(
    model: RiskModel, prediction: Prediction, said: list[Said]
) -> None:
    predictors = [term.predictor for term in model.terms]
    for one, row in zip(said, prediction.contributions, strict=True):
        expected: dict[str, float] = defaultdict(float)
        for name, added in zip(predictors, row, strict=True):
            expected[name] += added
        for name, added in expected.items():
            assert one.contributions.get(name, 0.0) == pytest.approx(added, abs=MOST)
        assert one.base + sum(one.contributions.values()) == pytest.approx(one.logit, abs=MOST)


@pytest.mark.parametrize("always", [(), tuple(CautionCode)[-2:]], ids=["none", "of the model"])
def test_cautions_and_statuses_are_those_of_the_table(
    always: tuple[CautionCode, ...],
    model: RiskModel,
    patients: Patients,
    read: list[PatientTerms],
    prediction: Prediction,
    said: list[Said],
    cells: list[int],
) -> None:
    raised = cautions(patients.columns, {}, model, prediction, always)
    found, reasons = statuses(patients.columns, prediction, raised)
    compiled = CompiledCautions(model, [caution_of(code, None) for code in always])
    for i, request in enumerate(patients.requests):
        own = compiled.raised(of_values(request.values, {}), request.values, cells[i], read[i])
        expected = [(c.code, c.predictor) for c in raised if c.concerns[i]]
        wide = expit(said[i].high) - expit(said[i].low) > WIDEST_INTERVAL
        assert wide == ((CautionCode.WIDE_INTERVAL, None) in expected)
        known = [(c.code, c.predictor) for c in own]
        assert known == [c for c in expected if c[0] is not CautionCode.WIDE_INTERVAL]
        weight = said[i].missing_weight
        status = status_of(request.values, cells[i], weight, cautious=bool(own) or wide)
        assert status == (found[i], reasons[i])
    assert set(found) >= {Status.CAUTION, Status.INSUFFICIENT_DATA, Status.OUT_OF_SCOPE}


def test_a_patient_outside_every_cell_is_judged_as_in_a_table(
    model: RiskModel, patients: Patients
) -> None:
    request = patients.requests[0]
    columns = {name: column[:1].copy() for name, column in patients.columns.items()}
    for product, disease, age in (
        ("other", "LBCL", 50.0),
        ("tisagenlecleucel", "MM", 50.0),
        ("tisagenlecleucel", "LBCL", 12.0),
        ("tisagenlecleucel", "B_ALL", 26.0),
        ("idecabtagene_vicleucel", "other", None),
    ):
        values = {**request.values, "product": product, "disease": disease}
        values.pop("age", None)
        columns["product"][0], columns["disease"][0] = product, disease
        columns["age"][0] = np.nan if age is None else age
        if age is not None:
            values["age"] = age
        cell = int(model.cell_of(columns)[0])
        alone = status_of(values, cell, 0.0, cautious=False)
        prediction = model.predict(columns)
        assert ([alone[0]], [alone[1]]) == statuses(columns, prediction, [])
        assert alone[0] is Status.OUT_OF_SCOPE


def test_shares_of_the_weight_are_by_disease(model: RiskModel, patients: Patients) -> None:
    """What is missing weighs by the terms that have a meaning in the disease, and only by them."""
    codes = disease_codes({"disease": np.array(["LBCL", "B_ALL"], dtype=object)})
    shares = model.share_by_predictor()
    assert sum(share[codes] for share in shares.values()) == pytest.approx([1.0, 1.0])
    compiled = CompiledModel(model)
    reader = CompiledTerms(model.terms, model.burden_scale)
    for disease, code in zip(("LBCL", "B_ALL"), codes, strict=True):
        cell = next(i for i, c in enumerate(model.cells) if c.disease == disease)
        nobody = reader.read({"product": model.cells[cell].product}, disease)
        for name in shares:
            weight = compiled.say(cell, disease, nobody, (name,)).missing_weight
            assert weight == pytest.approx(shares[name][code], abs=MOST)
