"""What the rooms' tests share: simulated patients, two stores of models, one patient as a body."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xgboost
from hypothesis import HealthCheck, settings

from data_schemas.cohort_table import MEASURED_AT, Cohort, Purpose, read_cohort
from data_schemas.outcomes import OUTCOMES
from data_schemas.predictors import PREDICTORS, Quantity
from serving.model.artefact import (
    MODEL_FILE,
    SELF_TEST_FILE,
    Artefact,
    canonical_json,
    load_artefact,
    model_to_json,
    self_test,
)
from serving.model.risk_model import RiskModel
from serving.model.store import load_current, make_current, save_artefact
from serving.model.terms import design
from serving.ward import Ward
from training.simulation.synthetic_cohort import SimulatedCohort, simulate, write

# How long an example takes is the machine's business: others may use it at the same time.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
TREES = 40
TINY = """
[learner]
name = "anchored_ridge"

[validation]
folds = 2
repeats = 1
bootstrap_refits = 3
simulated_centres = 1
simulated_patients = 60

# Sixty patients say nothing about a slope; the models of the stores are to be in order.
[acceptance.rehearsal]
calibration_slope = [0.01, 100]
"""
Body = dict[str, Any]


@dataclass(frozen=True)
class Store:
    """A directory of current models, and the models in it by outcome."""

    root: Path
    artefacts: dict[str, Artefact]

    @property
    def models(self) -> dict[str, RiskModel]:
        return {name: artefact.model for name, artefact in self.artefacts.items()}


@pytest.fixture(scope="session")
def simulated() -> SimulatedCohort:
    """A thousand patients of four centres."""
    return simulate(1000, 4, 20261122)


@pytest.fixture(scope="session")
def cohort(simulated: SimulatedCohort) -> Cohort:
    """The simulated patients as batch scoring reads them."""
    return read_cohort(simulated.table, Purpose.SCORING)


@pytest.fixture(scope="session")
def bodies(simulated: SimulatedCohort) -> list[Body]:
    """The simulated patients as request bodies, in the order of the table."""
    return [_body(row) for _, row in simulated.table.iterrows()]


@pytest.fixture
def patient() -> Body:
    """A 64-year-old with lymphoma before axi-cel; everything that the models use is measured."""
    return {
        "product": "axicabtagene_ciloleucel",
        "disease": "LBCL",
        "infusion_date": "2026-03-10",
        "age": {"value": 64, "unit": "a"},
        "sex": "female",
        "ecog": {"value": 1, "unit": "{score}"},
        "crp": {"value": 84, "unit": "mg/L", "measured_at": "2026-03-05"},
        "ferritin": {"value": 1850, "unit": "ng/mL"},
        "ldh": {"value": 480, "unit": "U/L"},
        "ldh_uln": {"value": 240, "unit": "U/L"},
        "platelets": {"value": 74, "unit": "10*9/L"},
        "mtv": {"value": 310, "unit": "mL"},
        "albumin": {"value": 33, "unit": "g/L"},
        "creatinine": {"value": 0.9, "unit": "mg/dL"},
        "hemoglobin": {"value": 92, "unit": "g/L"},
        "anc": {"value": 2.1, "unit": "10*9/L"},
        "prior_lines": {"value": 3, "unit": "{count}"},
        "neuro_comorbidity": "no",
        "active_infection": "none",
        "cns_involvement": "none",
        "extramedullary_disease": "no",
        "bridging": "chemo",
        "ld_regimen": "flu_cy",
        "crs_prophylaxis": "none",
    }


@pytest.fixture(scope="session")
def tiny_experiments(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The shipped experiments, without a search for trees and judged in a second."""
    folder = tmp_path_factory.mktemp("experiments")
    files = {name: folder / f"{name}.toml" for name in OUTCOMES}
    for file in files.values():
        shipped = (EXPERIMENTS / file.name).read_text("utf-8")
        file.write_text(shipped.partition("[learner]")[0] + TINY, "utf-8")
    return files


@pytest.fixture(scope="session")
def evidence_store(
    tiny_experiments: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Store:
    """Both outcomes by published evidence alone."""
    from training.pipeline import train  # takes seconds to import: only those who need it wait

    root, trained = tmp_path_factory.mktemp("evidence"), tmp_path_factory.mktemp("trained")
    for file in tiny_experiments.values():
        make_current(root, train(file, None, trained).artefact)
    return Store(root, load_current(root))


@pytest.fixture(scope="session")
def fitted_store(
    tiny_experiments: dict[str, Path],
    simulated: SimulatedCohort,
    tmp_path_factory: pytest.TempPathFactory,
) -> Store:
    """Both outcomes fitted on the simulated patients, with trees whether or not they help."""
    from training.pipeline import train

    root, trained = tmp_path_factory.mktemp("fitted"), tmp_path_factory.mktemp("trained")
    cohort_file, _ = write(simulated, trained / "centre.parquet")
    for name, file in tiny_experiments.items():
        without_trees = train(file, cohort_file, trained).artefact
        read = read_cohort(simulated.table, Purpose.DEVELOPMENT, [OUTCOMES[name]])
        make_current(root, _with_trees(without_trees, read, trained))
    return Store(root, load_current(root))


def _with_trees(artefact: Artefact, cohort: Cohort, trained: Path) -> Artefact:
    from training.learning.boosting import as_arrays

    model, y = artefact.model, cohort.outcomes[artefact.model.outcome].to_numpy()
    known = ~np.isnan(y)
    columns = {name: column[known] for name, column in cohort.columns().items()}
    values = design(columns, model.terms, model.burden_scale).values
    direction = [term.direction for term in model.terms]
    booster = boosted(values, y[known], model.predict(columns).logit, direction, TREES)
    model = replace(model, trees=as_arrays(booster, 0.5))
    files = {
        **{name: artefact.files[name] for name in ("prior.json", "model_card.md")},
        MODEL_FILE: canonical_json(model_to_json(model)),
        SELF_TEST_FILE: canonical_json(self_test(model, first(columns, 3))),
        "booster.ubj": bytes(booster.save_raw("ubj")),
    }
    return load_artefact(save_artefact(trained, model, artefact.manifest, files))


def boosted(
    values: np.ndarray,
    y: np.ndarray,
    margin: np.ndarray,
    direction: list[int],
    rounds: int,
    seed: int = 1,
) -> xgboost.Booster:
    """Grow trees of depth 2, monotone where a direction is given, above a margin."""
    parameters = {
        "objective": "binary:logistic",
        "base_score": 0.5,
        "max_depth": 2,
        "eta": 0.1,
        "monotone_constraints": tuple(map(int, direction)),
        "seed": seed,
        "nthread": 1,
    }
    data = xgboost.DMatrix(values.astype(np.float32), label=y, base_margin=margin)
    return xgboost.train(parameters, data, num_boost_round=rounds)


@pytest.fixture(scope="session")
def ward(evidence_store: Store) -> Ward:
    return Ward(artefacts=evidence_store.artefacts)


@pytest.fixture(scope="session")
def fitted_ward(fitted_store: Store) -> Ward:
    return Ward(artefacts=fitted_store.artefacts)


def first(columns: dict[str, np.ndarray], n: int) -> dict[str, np.ndarray]:
    return {name: column[:n] for name, column in columns.items()}


def _body(row: pd.Series) -> Body:
    body: Body = {"infusion_date": row["infusion_date"].date().isoformat()}
    for name, declared in PREDICTORS.items():
        if not isinstance(declared, Quantity):
            if name in row and pd.notna(row[name]):
                body[name] = row[name]
            continue
        column = next(iter(declared.columns(name)))
        if column not in row or pd.isna(row[column]):
            continue
        body[name] = {"value": float(row[column]), "unit": declared.unit}
        if pd.notna(row.get(f"{name}{MEASURED_AT}")):
            body[name]["measured_at"] = row[f"{name}{MEASURED_AT}"].date().isoformat()
    return body
