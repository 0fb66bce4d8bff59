"""The model adds up, knows what it was not told, and answers a row as it answers a table."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.cohort_table import Cohort
from data_schemas.outcomes import OUTCOMES
from serving.model.risk_model import Posterior, Prediction, RiskModel, expit, predictions
from serving.model.terms import design
from serving.model.trees import TreeEnsemble
from tests.conftest import Store

Array = np.ndarray
Columns = dict[str, Array]
FIELDS = [field.name for field in fields(Prediction)]


@pytest.fixture(params=[(s, o) for s in ("evidence", "fitted") for o in OUTCOMES], ids="-".join)
def model(request: pytest.FixtureRequest, evidence_store: Store, fitted_store: Store) -> RiskModel:
    store, outcome = request.param
    return {"evidence": evidence_store, "fitted": fitted_store}[store].models[outcome]


@pytest.fixture(scope="module")
def columns(cohort: Cohort) -> Columns:
    """Simulated patients, missing values included."""
    return take(cohort.columns(), np.arange(300))


def take(columns: Columns, index: Array) -> Columns:
    return {name: column[index] for name, column in columns.items()}


def without(columns: Columns, name: str) -> Columns:
    nothing = None if columns[name].dtype == object else np.nan
    return {**columns, name: np.full(len(columns[name]), nothing, dtype=columns[name].dtype)}


def assert_same(one: Prediction, other: Prediction, atol: float = 1e-12) -> None:
    for name in ("logit", "low", "high", "base", "contributions", "missing_weight"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=0, atol=atol)


def test_the_fitted_models_have_trees(fitted_store: Store) -> None:
    assert all(len(model.trees) > 0 for model in fitted_store.models.values())


def test_base_and_contributions_are_the_logit(model: RiskModel, columns: Columns) -> None:
    prediction = model.predict(columns)
    assert prediction.in_scope.all()
    total = prediction.base + prediction.contributions.sum(axis=1)
    np.testing.assert_allclose(total, prediction.logit, rtol=0, atol=1e-12)


def test_the_logit_is_the_formula_of_its_parts(model: RiskModel, columns: Columns) -> None:
    """An account of the sum that shares no code with the contributions."""
    t = design(columns, model.terms, model.burden_scale).values
    cell = model.posterior.mean[1 : 1 + len(model.cells)][model.cell_of(columns)]
    inner = model.posterior.mean[0] + cell + t @ model.coefficients + model.trees.log_odds(t)
    expected = model.recalibration.intercept + model.recalibration.slope * inner
    np.testing.assert_allclose(model.predict(columns).logit, expected, rtol=0, atol=1e-12)


def test_the_interval_is_the_variance_of_the_patients_row(
    model: RiskModel, columns: Columns
) -> None:
    """The quadratic form over intercept, cell and terms, patient by patient."""
    design_, cells = design(columns, model.terms, model.burden_scale), model.cell_of(columns)
    covariance, spread = model.posterior.covariance, [term.spread for term in model.terms]
    own = np.diag(covariance)[-len(model.terms) :] + model.coefficients**2
    prediction = model.predict(columns)
    for i in range(0, 300, 7):
        row = np.concatenate([[1.0], np.arange(len(model.cells)) == cells[i], design_.values[i]])
        variance = row @ covariance @ row + model.misfit_sd**2
        variance += (design_.missing[i] * own * np.square(spread)).sum()
        half = 1.6448536269514722 * model.recalibration.slope * np.sqrt(variance)
        assert prediction.high[i] - prediction.logit[i] == pytest.approx(half, abs=1e-12)
        assert prediction.logit[i] - prediction.low[i] == pytest.approx(half, abs=1e-12)


def test_the_missing_weight_is_the_share_of_variance_that_missing_terms_would_add(
    model: RiskModel, columns: Columns
) -> None:
    missing = design(columns, model.terms, model.burden_scale).missing
    weight = model.predict(columns).missing_weight
    for i in range(0, 300, 7):
        applies = [term.applies_in(columns["disease"][i]) for term in model.terms]
        could = (model.coefficients * [term.spread for term in model.terms]) ** 2 * applies
        assert weight[i] == pytest.approx(could[missing[i]].sum() / could.sum(), abs=1e-12)


def test_models_asked_together_answer_as_alone_in_blocks_of_any_length(
    fitted_store: Store, evidence_store: Store, columns: Columns
) -> None:
    many = take(columns, np.arange(9000) % 300)
    models = {f"evidence {n}": m for n, m in evidence_store.models.items()} | fitted_store.models
    other_centre = replace(models["severe_crs"].terms[0], centre={"*": 1.0})
    models["other terms"] = replace(
        models["severe_crs"], terms=(other_centre, *models["severe_crs"].terms[1:])
    )
    together = predictions(models, many)
    for name, model in models.items():
        alone = model.predict(columns)
        for part in (slice(0, 300), slice(4200, 4500), slice(8700, 9000)):
            answered = Prediction(*(getattr(together[name], f)[part] for f in FIELDS))
            assert_same(answered, alone)
    assert abs(together["other terms"].logit - together["severe_crs"].logit).max() > 0.1


def test_the_interval_contains_the_risk(model: RiskModel, columns: Columns) -> None:
    prediction = model.predict(columns)
    assert (prediction.low < prediction.logit).all()
    assert (prediction.logit < prediction.high).all()
    assert ((prediction.risk > 0) & (prediction.risk < 1)).all()


def test_a_predictor_not_measured_contributes_exactly_nothing(
    model: RiskModel, columns: Columns
) -> None:
    for term_predictor in {term.predictor for term in model.terms} - {"tumour_burden"}:
        prediction = model.predict(without(columns, term_predictor))
        of_predictor = [term.predictor == term_predictor for term in model.terms]
        assert not prediction.contributions[:, of_predictor].any(), term_predictor


def test_not_measuring_is_less_certain_than_measuring_a_typical_value(
    model: RiskModel, columns: Columns
) -> None:
    typical = {**columns, "crp": np.full(300, np.nan)}
    for term in model.terms:
        if term.name == "crp":
            centre = np.array([term.centre_in(code) for code in columns["disease"]])
            typical["crp"] = np.where(columns["disease"] == "B_ALL", np.nan, np.expm1(centre))
    applies = columns["disease"] != "B_ALL"
    known, unknown = model.predict(typical), model.predict(without(columns, "crp"))
    np.testing.assert_allclose(known.logit, unknown.logit, rtol=0, atol=1e-9)
    assert (unknown.high - unknown.low > known.high - known.low)[applies].all()


def test_not_measuring_widens_the_interval_of_the_usual_patient(
    model: RiskModel, columns: Columns
) -> None:
    """One rare extreme may be less certain than nothing; patients on the whole are not."""
    for name in ("crp", "ferritin", "ldh", "platelets"):
        measured = ~np.isnan(columns[name])
        known, unknown = model.predict(columns), model.predict(without(columns, name))
        wider = ((unknown.high - unknown.low) - (known.high - known.low))[measured]
        assert wider.mean() > 0
        assert (wider > 0).mean() > 0.6


def test_a_model_that_is_certain_of_everything_has_no_interval(
    model: RiskModel, columns: Columns
) -> None:
    certain = replace(
        model,
        posterior=Posterior(model.posterior.mean, np.zeros_like(model.posterior.covariance)),
        misfit_sd=0.0,
    )
    complete = {
        **columns,
        **{name: np.zeros(300) for name in columns if columns[name].dtype != object},
        **{name: np.full(300, "none", object) for name in columns if columns[name].dtype == object},
        **{name: columns[name] for name in ("product", "disease")},
        **{name: np.full(300, 200.0) for name in ("ldh", "ldh_uln", "ferritin", "creatinine")},
    }
    prediction = certain.predict(complete)
    assert not prediction.missing_weight.any()
    assert (prediction.low == prediction.logit).all()
    assert (prediction.high == prediction.logit).all()


def test_a_table_is_answered_as_its_rows(model: RiskModel, columns: Columns) -> None:
    batch = model.predict(columns)
    for i in range(0, 300, 10):
        row = model.predict(take(columns, np.array([i])))
        for name in ("logit", "low", "high", "base", "contributions", "missing_weight"):
            one, among = getattr(row, name)[0], getattr(batch, name)[i]
            np.testing.assert_allclose(one, among, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("product", "disease"), [("other", "LBCL"), ("tisagenlecleucel", "MM")])
def test_a_row_outside_the_cells_has_no_numbers(
    model: RiskModel, columns: Columns, product: str, disease: str
) -> None:
    outside = take(columns, np.arange(3))
    outside["product"] = np.array([product, *outside["product"][1:]], dtype=object)
    outside["disease"] = np.array([disease, *outside["disease"][1:]], dtype=object)
    prediction = model.predict(outside)
    assert prediction.in_scope.tolist() == [False, True, True]
    for numbers in (prediction.logit, prediction.low, prediction.high, prediction.base):
        assert np.isnan(numbers).tolist() == [True, False, False]
    assert np.isnan(prediction.risk[0])


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_order_of_terms_does_not_matter(
    fitted_store: Store, columns: Columns, seed: int
) -> None:
    model = fitted_store.models["severe_icans"]
    order = np.random.default_rng(seed).permutation(len(model.terms))
    place = np.argsort(order)
    head = 1 + len(model.cells)
    index = np.concatenate([np.arange(head), head + order])
    shuffled = replace(
        model,
        terms=tuple(model.terms[j] for j in order),
        posterior=Posterior(
            model.posterior.mean[index], model.posterior.covariance[np.ix_(index, index)]
        ),
        trees=TreeEnsemble(place[model.trees.term], model.trees.threshold, model.trees.leaf),
    )
    ours, theirs = shuffled.predict(columns), model.predict(columns)
    assert_same(replace(ours, contributions=ours.contributions[:, place]), theirs)


def test_the_weights_of_a_patient_are_shares_of_one(model: RiskModel, columns: Columns) -> None:
    nothing = {name: without(columns, name)[name] for name in columns}
    nothing |= {name: columns[name] for name in ("product", "disease")}
    np.testing.assert_allclose(model.predict(nothing).missing_weight, 1.0)
    weight = model.predict(columns).missing_weight
    assert ((weight >= 0) & (weight < 1)).all()


def test_a_missing_main_predictor_is_named_for_the_patients_who_lack_it(
    model: RiskModel, columns: Columns
) -> None:
    missing = model.missing_main_predictors(columns, least_weight=0.0)
    assert (missing["platelets"] == np.isnan(columns["platelets"])).all()
    assert not any(
        concerns.any() for concerns in model.missing_main_predictors(columns, 1.0).values()
    )


def test_an_empty_table_is_answered_with_nothing(model: RiskModel, columns: Columns) -> None:
    prediction = model.predict(take(columns, np.array([], dtype=int)))
    assert prediction.risk.shape == (0,)


@given(st.floats(-700, 700))
def test_a_log_odds_becomes_a_probability_without_overflow(z: float) -> None:
    p = float(expit(np.array([z]))[0])
    assert 0 <= p <= 1
    assert p + float(expit(np.array([-z]))[0]) == pytest.approx(1)
