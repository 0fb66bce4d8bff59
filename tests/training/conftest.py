"""Small experiments, cohorts and runs that the tests of the room share."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from data_schemas.cohort_table import predictor_columns
from data_schemas.evidence import Evidence, load_evidence
from training.cohort import LearningCohort
from training.pipeline import Run, train
from training.simulation.synthetic_cohort import simulate, write

PREDICTORS = ("crp", "ferritin", "ldh", "platelets", "age")
ExperimentWriter = Callable[..., Path]
CohortBuilder = Callable[..., LearningCohort]


def experiment_text(
    outcome: str = "severe_icans",
    predictors: tuple[str, ...] = PREDICTORS,
    seed: int = 7,
    top: str = "",
    sections: str = "",
) -> str:
    listed = ", ".join(f'"{name}"' for name in predictors)
    return (
        f"predictors = [{listed}]\nseed = {seed}\n{top}\n"
        f'[outcome]\nname = "{outcome}"\n'
        '[learner]\nname = "anchored_ridge"\n'
        "[validation]\nfolds = 2\nrepeats = 1\nbootstrap_refits = 3\n"
        f"simulated_centres = 1\nsimulated_patients = 120\n{sections}"
    )


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Matrices here are small: threads of a busy machine slow them down a hundredfold."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="session")
def evidence() -> Evidence:
    return load_evidence()


@pytest.fixture(scope="session")
def experiment_file(tmp_path_factory: pytest.TempPathFactory) -> ExperimentWriter:
    """Write an experiment that takes a fraction of a second."""

    def written(text: str | None = None, name: str = "quick", **parts: object) -> Path:
        path = tmp_path_factory.mktemp("experiment") / f"{name}.toml"
        path.write_text(experiment_text(**parts) if text is None else text, "utf-8")  # type: ignore[arg-type]
        return path

    return written


def unpublished_outcome(*predictors: str) -> str:
    """Return an experiment on an outcome on which nothing is published."""
    return f"""
predictors = {json.dumps(predictors)}
seed = 1
[outcome]
name = "hlh"
label = "x"
definition = "x"
horizon_days = 60
reference = "x"
[anchor]
evidence = false
"""


@pytest.fixture(scope="session")
def simulated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated cohort of 300 patients."""
    return write(simulate(300, 3, 5), tmp_path_factory.mktemp("cohort") / "centre.parquet")[0]


@pytest.fixture(scope="session")
def evidence_run(
    experiment_file: ExperimentWriter, tmp_path_factory: pytest.TempPathFactory
) -> Run:
    """A model of no patient."""
    return train(experiment_file(), None, tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="session")
def cohort_run(
    experiment_file: ExperimentWriter,
    simulated_file: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Run:
    """A model of simulated patients."""
    return train(experiment_file(), simulated_file, tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="session")
def cohort_of() -> CohortBuilder:
    """Build a cohort in memory; what is not given is missing."""

    def built(
        y: np.ndarray,
        product: str | list[str] = "axicabtagene_ciloleucel",
        disease: str | list[str] = "LBCL",
        **columns: np.ndarray,
    ) -> LearningCohort:
        n = len(y)
        words = {
            name: np.array([word] * n if isinstance(word, str) else word, dtype=object)
            for name, word in (("product", product), ("disease", disease))
        }
        return LearningCohort(
            columns=predictor_columns({**words, **columns}, n),
            outcome=np.asarray(y, dtype=float),
            other_outcome=None,
            patient=np.arange(n),
            site=np.array(["here"] * n, dtype=object),
            infused=np.full(n, np.datetime64("2024-03-01")),
            synthetic=True,
            fingerprint="in memory",
            without_outcome=0,
            notices=(),
        )

    return built
