"""A model of no patient is tried on centres whose truth is known."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit, logit

from data_schemas.cohort_table import Purpose, read_cohort
from serving.model.risk_model import RiskModel
from training.experiment import read_experiment
from training.pipeline import Run
from training.simulation.rehearsal import against_truth, simulated_centres
from training.simulation.synthetic_cohort import simulate

Array = np.ndarray


@pytest.fixture(scope="module")
def patients() -> dict[str, Array]:
    return read_cohort(simulate(400, 2, 9).table, Purpose.SCORING).columns()


@pytest.fixture(scope="module")
def model(evidence_run: Run) -> RiskModel:
    return evidence_run.artefact.model


def test_centres_are_as_many_and_as_large_as_asked_and_each_has_its_truth(
    experiment_file: Callable[..., Path],
) -> None:
    text = experiment_file().read_text("utf-8")
    asked = text.replace("simulated_centres = 1", "simulated_centres = 3")
    cohort, risk = simulated_centres(read_experiment(experiment_file(asked)))
    assert len(cohort) == len(risk) == 3 * 120
    names, sizes = np.unique(cohort.site.astype(str), return_counts=True)
    assert names.tolist() == [f"simulated centre {i:02d}" for i in (1, 2, 3)]
    assert sizes.tolist() == [120] * 3
    assert len(set(cohort.patient.tolist())) == len(cohort)
    assert cohort.synthetic
    assert ((risk > 0) & (risk < 1)).all()
    assert cohort.outcome.mean() == pytest.approx(risk.mean(), abs=4 * np.sqrt(0.25 / 360))


def test_the_truth_itself_loses_nothing(model: RiskModel, patients: dict[str, Array]) -> None:
    judged = against_truth(model, patients, model.predict(patients).risk)
    assert judged.excess_log_loss == pytest.approx(0.0, abs=1e-12)
    assert judged.coverage == 1.0
    assert judged.of_product_rate > 0
    assert judged.patients == 400


def test_the_excess_is_the_expected_divergence(
    model: RiskModel, patients: dict[str, Array]
) -> None:
    risk = model.predict(patients).risk
    truth = expit(logit(risk) + 0.7)
    divergence = truth * np.log(truth / risk) + (1 - truth) * np.log((1 - truth) / (1 - risk))
    judged = against_truth(model, patients, truth)
    assert judged.excess_log_loss == pytest.approx(divergence.mean())


@pytest.mark.parametrize("away", [-20.0, 20.0])
def test_a_truth_far_from_the_model_is_not_covered(
    model: RiskModel, patients: dict[str, Array], away: float
) -> None:
    far = expit(model.predict(patients).logit + away)
    assert against_truth(model, patients, far).coverage == 0.0


def test_patients_outside_the_model_are_not_judged(
    model: RiskModel, patients: dict[str, Array]
) -> None:
    outside = {**patients, "product": patients["product"].copy()}
    outside["product"][:100] = "unheard_of"
    risk = np.where(np.arange(400) < 100, 0.5, model.predict(patients).risk)
    judged = against_truth(model, outside, risk)
    assert judged.patients == 300
    assert judged.excess_log_loss == pytest.approx(0.0, abs=1e-12)
