"""What is served says what XGBoost and SHAP say, on ten thousand patients with missing values."""

import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import xgboost

from data_schemas.cohort_table import Cohort
from data_schemas.outcomes import OUTCOMES
from serving.model.artefact import Artefact
from serving.model.risk_model import RiskModel
from serving.model.terms import design
from serving.model.trees import TreeEnsemble
from tests.conftest import Store
from tests.serving.one_by_one import Patients, patients_of
from training.verification import NotFaithful, verify_trees

MOST = 1e-6
WEIGHT = 0.5
"""The share of XGBoost's log-odds that the models of the fitted store take."""


@dataclass(frozen=True)
class Oracle:
    """The libraries' own answers for the same patients, shapes (n,) and (n, n_terms)."""

    margin: np.ndarray
    shapley: np.ndarray


@pytest.fixture(scope="module")
def patients(cohort: Cohort) -> Patients:
    return patients_of(cohort, 10, 20260302)


@pytest.fixture(scope="module", params=OUTCOMES)
def artefact(request: pytest.FixtureRequest, fitted_store: Store) -> Artefact:
    return fitted_store.artefacts[request.param]


def booster_of(artefact: Artefact) -> xgboost.Booster:
    return xgboost.Booster({"nthread": 1}, model_file=artefact.folder / "booster.ubj")


@pytest.fixture(scope="module")
def values(artefact: Artefact, patients: Patients) -> np.ndarray:
    model = artefact.model
    return design(patients.columns, model.terms, model.burden_scale).values.astype(np.float32)


@pytest.fixture(scope="module")
def oracle(artefact: Artefact, values: np.ndarray) -> Oracle:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the packages that SHAP imports
        import shap
    booster = booster_of(artefact)
    typical = np.zeros((1, values.shape[1]), dtype=np.float32)
    explainer = shap.TreeExplainer(booster, typical, feature_perturbation="interventional")
    margin = booster.predict(xgboost.DMatrix(values), output_margin=True)
    return Oracle(margin, explainer.shap_values(values))


def test_ten_thousand_patients_are_compared_and_much_is_missing(
    patients: Patients, values: np.ndarray, artefact: Artefact
) -> None:
    assert len(values) == 10_000
    missing = design(patients.columns, artefact.model.terms, artefact.model.burden_scale).missing
    assert 0.1 < missing.mean() < 0.6
    assert len(np.unique(values, axis=0)) > 9_900


def test_margins_are_those_of_xgboost(
    artefact: Artefact, values: np.ndarray, oracle: Oracle
) -> None:
    trees = artefact.model.trees
    assert len(trees) == len(booster_of(artefact).get_dump())
    np.testing.assert_allclose(trees.log_odds(values), WEIGHT * oracle.margin, rtol=0, atol=MOST)


def test_shapley_values_are_those_of_shap(
    artefact: Artefact, values: np.ndarray, oracle: Oracle
) -> None:
    ours = artefact.model.trees.contributions(values)
    np.testing.assert_allclose(ours, WEIGHT * oracle.shapley, rtol=0, atol=MOST)


def test_whole_contributions_are_the_linear_part_and_shap(
    artefact: Artefact, patients: Patients, oracle: Oracle
) -> None:
    """With a typical patient of zeros a coefficient adds itself times the term."""
    model: RiskModel = artefact.model
    prediction = model.predict(patients.columns)
    terms = design(patients.columns, model.terms, model.burden_scale).values
    expected = model.coefficients * terms + WEIGHT * oracle.shapley
    slope = model.recalibration.slope
    np.testing.assert_allclose(prediction.contributions, slope * expected, rtol=0, atol=MOST)
    total = prediction.base + prediction.contributions.sum(axis=1)
    np.testing.assert_allclose(total, prediction.logit, rtol=0, atol=1e-12)


def test_a_faithful_artefact_passes_and_an_altered_one_does_not(
    artefact: Artefact, values: np.ndarray
) -> None:
    file: Path = artefact.folder / "booster.ubj"
    verify_trees(artefact, file, values, WEIGHT)
    with pytest.raises(NotFaithful, match="margins"):
        verify_trees(artefact, file, values, 0.9 * WEIGHT)
    trees = artefact.model.trees
    altered = TreeEnsemble(trees.term, trees.threshold, trees.leaf + 1e-3)
    with pytest.raises(NotFaithful):
        verify_trees(
            replace(artefact, model=replace(artefact.model, trees=altered)), file, values, WEIGHT
        )
