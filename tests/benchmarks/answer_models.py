"""The models of the answer benchmark: published evidence alone, and the same with trees above."""

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import xgboost

from data_schemas.cohort_table import Purpose, read_cohort
from data_schemas.outcomes import OUTCOMES
from serving.model.artefact import Artefact
from serving.model.terms import design
from training.learning.boosting import Growth, grow
from training.pipeline import train
from training.simulation.synthetic_cohort import SimulatedCohort

ROOT = Path(__file__).parents[2]
SEED = 20_260_401
ROUNDS = 200
_WITHOUT_JUDGING = """
[learner]
name = "evidence"

[validation]
folds = 2
repeats = 1
bootstrap_refits = 2
simulated_centres = 1
simulated_patients = 60
"""


@dataclass(frozen=True)
class Models:
    """Both outcomes' artefacts, and XGBoost's boosters of their trees, by outcome."""

    artefacts: dict[str, Artefact]
    boosters: dict[str, xgboost.Booster]


def of_evidence() -> Models:
    """Return the default models: published evidence, no patient, no tree."""
    artefacts = {}
    with TemporaryDirectory() as folder:
        for name in OUTCOMES:
            shipped = (ROOT / "experiments" / f"{name}.toml").read_text("utf-8")
            experiment = Path(folder) / f"{name}.toml"
            experiment.write_text(shipped.partition("[learner]")[0] + _WITHOUT_JUDGING, "utf-8")
            artefacts[name] = train(experiment, None, Path(folder)).artefact
    return Models(artefacts, {})


def with_trees(models: Models, simulated: SimulatedCohort) -> Models:
    """Return the models with trees grown on simulated patients, whether or not they help."""
    artefacts, boosters = {}, {}
    for name, artefact in models.artefacts.items():
        cohort = read_cohort(simulated.table, Purpose.DEVELOPMENT, [OUTCOMES[name]])
        y = cohort.outcomes[name].to_numpy()
        known = ~np.isnan(y)
        columns = {key: column[known] for key, column in cohort.columns().items()}
        model = artefact.model
        values = design(columns, model.terms, model.burden_scale).values
        direction = np.array([term.direction for term in model.terms])
        margin = model.predict(columns).logit
        grown = grow(values, y[known], margin, direction, ROUNDS, Growth(SEED))
        assert grown.booster is not None
        artefacts[name] = replace(artefact, model=replace(model, trees=grown.trees))
        boosters[name] = grown.booster
    return Models(artefacts, boosters)
