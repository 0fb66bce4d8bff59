"""A model of no patient tried on simulated centres whose truth differs from the evidence.

It says whether the machinery works; it is never clinical performance.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from data_schemas.cohort_table import Purpose, read_cohort
from serving.model.risk_model import RiskModel
from training.cohort import LearningCohort, where_known
from training.evaluation.overall_accuracy import log_losses
from training.experiment import Experiment
from training.simulation.synthetic_cohort import simulate

Array = np.ndarray

SIMULATED = "simulated centres, never clinical performance"


def simulated_centres(experiment: Experiment) -> tuple[LearningCohort, Array]:
    """Return patients of the centres that an experiment asks for, and their true risks, (n,).

    Each centre has a truth of its own.
    """
    validation, seed = experiment.validation, experiment.seed
    tables, risks, outcomes = [], [], []
    for centre in range(validation.simulated_centres):
        simulated = simulate(validation.simulated_patients, 1, seed + 1 + centre)
        risk = simulated.truth[experiment.outcome.name].to_numpy()
        name = f"simulated centre {centre + 1:02d}"
        patient_id = name + " " + simulated.table["patient_id"].astype(str)
        tables.append(simulated.table.assign(site=name, patient_id=patient_id))
        outcomes.append(np.random.default_rng(seed + centre).random(len(risk)) < risk)
        risks.append(risk)
    cohort = read_cohort(pd.concat(tables), Purpose.SCORING)
    outcome = np.concatenate(outcomes).astype(float)
    return where_known(cohort, outcome), np.concatenate(risks)


@dataclass(frozen=True, slots=True)
class AgainstTruth:
    """A model beside the truth of simulated centres; everything is a mean over patients.

    ``excess_log_loss`` is what the model loses against the true risk, ``of_product_rate`` that of
    the published rate of each product; ``coverage`` is the share of 90 % intervals that hold the
    true risk.
    """

    excess_log_loss: float
    of_product_rate: float
    coverage: float
    patients: int


def against_truth(model: RiskModel, columns: dict[str, Array], true_risk: Array) -> AgainstTruth:
    """Judge a model against known risks, by expected log-loss rather than by drawn outcomes."""
    prediction = model.predict(columns)
    inside = prediction.in_scope
    truth, z = true_risk[inside], prediction.logit[inside]
    true_z = np.log(truth / (1 - truth))
    cell = model.cell_of(columns)[inside]
    rate = np.array([c.base_rate for c in model.cells])[cell]
    best = _expected_log_loss(true_z, truth)
    covered = (prediction.low[inside] <= true_z) & (true_z <= prediction.high[inside])
    return AgainstTruth(
        excess_log_loss=_expected_log_loss(z, truth) - best,
        of_product_rate=_expected_log_loss(np.log(rate / (1 - rate)), truth) - best,
        coverage=float(covered.mean()),
        patients=int(inside.sum()),
    )


def _expected_log_loss(log_odds: Array, risk: Array) -> float:
    return float(log_losses(log_odds, risk).mean())
