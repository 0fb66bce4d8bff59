"""What the rooms' tests share: simulated patients, two stores of models, one patient as a body."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from data_schemas.cohort_table import MEASURED_AT, Cohort, Purpose, read_cohort
from data_schemas.evidence import load_evidence
from data_schemas.model_manifest import CohortStatement
from data_schemas.outcomes import OUTCOMES
from data_schemas.predictors import PREDICTORS, Quantity
from serving.artefact import (
    MODEL_FILE,
    SELF_TEST_FILE,
    Artefact,
    canonical_json,
    load_artefact,
    load_current,
    make_current,
    model_to_json,
    save_artefact,
    self_test,
)
from serving.rest import Ward
from serving.risk_model import RiskModel
from training.synthetic_cohort import SimulatedCohort, simulate

if TYPE_CHECKING:
    from training.cohort import LearningCohort

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
TREES = 40
TINY = {
    "folds = 5": "folds = 2",
    "simulated_centres = 20": "simulated_centres = 1",
    "simulated_patients = 400": "simulated_patients = 60",
}
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
    """The shipped experiments, judged in a second instead of minutes."""
    folder = tmp_path_factory.mktemp("experiments")
    files = {name: folder / f"{name}.toml" for name in OUTCOMES}
    for name, file in files.items():
        text = (EXPERIMENTS / file.name).read_text("utf-8")
        for shipped, tiny in TINY.items():
            assert shipped in text
            text = text.replace(shipped, tiny)
        file.write_text(text, "utf-8")
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
    evidence_store: Store,
    tiny_experiments: dict[str, Path],
    simulated: SimulatedCohort,
    cohort: Cohort,
    tmp_path_factory: pytest.TempPathFactory,
) -> Store:
    """Both outcomes fitted on the simulated patients, with trees whether or not they help."""
    from training.cohort import with_outcome
    from training.pipeline import BOOSTER_FILE

    root, trained = tmp_path_factory.mktemp("fitted"), tmp_path_factory.mktemp("trained")
    for name, file in tiny_experiments.items():
        outcome = OUTCOMES[name]
        read = read_cohort(simulated.table, Purpose.DEVELOPMENT, [outcome])
        model, booster = _fitted(with_outcome(read, outcome), file)
        basis = evidence_store.artefacts[name]
        n = len(cohort)
        statement = CohortStatement(
            patients=n, real_patients=0, simulated_patients=n, events=99, sites=4
        )
        files = {
            **{file: basis.files[file] for file in ("prior.json", "model_card.md")},
            MODEL_FILE: canonical_json(model_to_json(model)),
            SELF_TEST_FILE: canonical_json(self_test(model, first(cohort.columns(), 3))),
            BOOSTER_FILE: booster,
        }
        manifest = basis.manifest.model_copy(update={"cohort": statement})
        make_current(root, load_artefact(save_artefact(trained, model, manifest, files)))
    return Store(root, load_current(root))


@pytest.fixture(scope="session")
def ward(evidence_store: Store) -> Ward:
    return Ward(artefacts=evidence_store.artefacts)


@pytest.fixture(scope="session")
def fitted_ward(fitted_store: Store) -> Ward:
    return Ward(artefacts=fitted_store.artefacts)


def first(columns: dict[str, np.ndarray], n: int) -> dict[str, np.ndarray]:
    return {name: column[:n] for name, column in columns.items()}


def _fitted(cohort: "LearningCohort", file: Path) -> tuple[RiskModel, bytes]:
    from training.boosting import TREE_WEIGHT, as_arrays, grow
    from training.experiment import read_experiment
    from training.learner import learn, rows_of
    from training.prior import evidence_prior

    experiment = read_experiment(file)
    prior = evidence_prior(load_evidence(), experiment, cohort)
    learnt = learn(prior, cohort, experiment.seed, trees=False)
    rows = rows_of(learnt.model, cohort)
    direction = np.array([term.direction for term in prior.terms])
    margin = rows.X @ learnt.fitted.posterior.mean
    grown = grow(rows.values, rows.y, margin, direction, TREES, experiment.seed)
    assert grown.booster is not None
    trees = as_arrays(grown.booster, TREE_WEIGHT)
    return replace(learnt.model, trees=trees), bytes(grown.booster.save_raw("ubj"))


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
