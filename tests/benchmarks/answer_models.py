"""The models of the answer benchmark: published evidence alone, and the same with trees above."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from models_in_store import Models

from data_schemas.cohort_table import Purpose, read_cohort
from data_schemas.outcomes import OUTCOMES
from serving.model.terms import design
from training.learning.boosting import Growth, as_arrays, grow
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
        booster = grow(values, y[known], margin, direction, ROUNDS, Growth(SEED))
        assert booster is not None
        artefacts[name] = replace(artefact, model=replace(model, trees=as_arrays(booster)))
        boosters[name] = booster
    return Models(artefacts, boosters)
